"""`make compare`: two sets of results of the same cases."""

from pathlib import Path

import pytest
from PIL import Image

from ops import compare


def draw(folder: Path, item: str, colour: str = "red", form: str = "jpg", size: int = 64) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    image = Image.new("RGB", (size, size), "white")
    image.paste(Image.new("RGB", (size // 2, size), colour))
    image.save(folder / f"{item}.{form}")


def run(old: Path, new: Path, monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setattr("sys.argv", ["compare", "--old", str(old), "--new", str(new)])
    return compare.main()


@pytest.fixture
def sets(tmp_path: Path) -> tuple[Path, Path]:
    for name, form in (("old", "png"), ("new", "jpg")):
        for item in ("evidence-1", "location-1"):
            draw(tmp_path / name / "case-1", item, form=form)
    return tmp_path / "old", tmp_path / "new"


def test_the_same_pictures_in_another_format_are_no_loss(
    sets: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(*sets, monkeypatch) == 0
    out = capsys.readouterr().out
    assert "2 items: 2 pictures in the old set, 2 in the new; 0 lost, 0 broken" in out
    [pair, _] = compare.compare(*sets)
    assert pair.difference is not None
    assert pair.difference < 1
    assert (str(pair.old)[:3], str(pair.new)[:4]) == ("PNG", "JPEG")


def test_pictures_that_look_different_have_a_large_difference(sets: tuple[Path, Path]) -> None:
    draw(sets[1] / "case-1", "evidence-1", colour="white")
    draw(sets[0] / "case-1", "evidence-1", colour="black", form="png")
    [pair, _] = compare.compare(*sets)
    assert pair.difference is not None
    assert pair.difference > 40


def test_an_additional_picture_is_no_loss_and_the_contact_sheet_is_not_compared(
    sets: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    draw(sets[1] / "case-2", "evidence-1")
    draw(sets[0] / "case-1", "contact-sheet", form="png")
    assert run(*sets, monkeypatch) == 0


@pytest.mark.parametrize("damage", ["missing", "empty", "truncated", "blank"])
def test_a_lost_broken_or_blank_picture_is_a_failure(
    sets: tuple[Path, Path], damage: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = sets[1] / "case-1" / "evidence-1.jpg"
    if damage == "missing":
        path.unlink()
    elif damage == "blank":
        draw(path.parent, "evidence-1", colour="white")
    else:
        path.write_bytes(path.read_bytes()[:100] if damage == "truncated" else b"")
    assert run(*sets, monkeypatch) == 1


def test_nothing_to_compare_is_a_failure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert run(tmp_path, tmp_path, monkeypatch) == 1
    assert run(tmp_path / "nowhere", tmp_path, monkeypatch) == 2
