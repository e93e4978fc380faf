"""The metadata in a picture: an XMP packet (ISO 16684-1) in its JPEG.

Whoever may see the picture can read it, so it holds nothing personal and no prompt.
"""

import re
from collections.abc import Mapping
from html import escape

AI_MADE = "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"
"""IPTC's term for pictures made by a trained model."""

MAX_TEXT = 1_000
"""Characters of one text; a JPEG segment holds 65,502 bytes, and an escaped character takes five."""

_NOT_XML = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")

_PACKET = """<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>\
<x:xmpmeta xmlns:x="adobe:ns:meta/">\
<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">\
<rdf:Description rdf:about="" xmlns:dc="http://purl.org/dc/elements/1.1/" \
xmlns:xmp="http://ns.adobe.com/xap/1.0/" xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/">\
<dc:identifier>{identifier}</dc:identifier>\
<xmp:CreatorTool>{model}</xmp:CreatorTool>\
<Iptc4xmpExt:DigitalSourceType>{source}</Iptc4xmpExt:DigitalSourceType>\
</rdf:Description></rdf:RDF></x:xmpmeta><?xpacket end="w"?>"""


def packet(facts: Mapping[str, str]) -> bytes:
    """Return `case`, `shot` and `model` of `facts` as XMP, whatever their text; a missing one is empty."""
    identifier = f"{facts.get('case', '')}/{facts.get('shot', '')}"
    return _PACKET.format(
        identifier=_text(identifier),
        model=_text(facts.get("model", "")),
        source=AI_MADE,
    ).encode()


def _text(value: str) -> str:
    """Return `value` as text of XML, cut at MAX_TEXT."""
    return escape(_NOT_XML.sub("", value[:MAX_TEXT]), quote=False)
