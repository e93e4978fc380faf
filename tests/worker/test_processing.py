"""A run after a loss for memory processes one picture at a time; after two it first names each shot."""

import asyncio
from dataclasses import replace
from typing import override

import pytest
from darkroom.domain.errors import Undeliverable
from darkroom.ports import ImageProcessor, RawImage
from darkroom.worker.processing import Processing
from darkroom.worker.run_state import RunState

from testing.builders import an_image_model
from testing.fakes.images import ScriptedProvider
from testing.virtual_time import run
from testing.worker import an_order

RAW = RawImage(data=b"raw", model="fake")


class SlowProcessor(ImageProcessor):
    """A processor that needs a second, and records which pictures it processes at once."""

    def __init__(self) -> None:
        self.now: set[str] = set()
        self.most = 0

    @override
    async def process(self, raw: RawImage, facts: object) -> bytes:
        assert isinstance(facts, dict)
        self.now.add(facts["shot"])
        self.most = max(self.most, len(self.now))
        await asyncio.sleep(1)
        self.now.remove(facts["shot"])
        return b"jpeg"


class Scene:
    """A run that processes three pictures, whose job has lost some workers for memory."""

    def __init__(self, memory_losses: int, *, is_down: bool = False) -> None:
        order = replace(an_order(), memory_losses=memory_losses)
        models = [an_image_model(ScriptedProvider())]
        self.state = RunState.of(order, claim="claim", request_id=None, image_models=models)
        self.processor = SlowProcessor()
        self.named: list[tuple[str | None, set[str]]] = []
        self.is_down = is_down

    async def acknowledge(self) -> None:
        if self.is_down:
            raise Undeliverable("no", retryable=False)
        self.named.append((self.state.processing, set(self.processor.now)))

    async def process_three(self) -> None:
        processing = Processing(processor=self.processor, state=self.state, acknowledge=self.acknowledge)
        await asyncio.gather(*(processing.process(RAW, f"shot-{n}") for n in range(3)))


@pytest.mark.parametrize(("memory_losses", "most"), [(0, 3), (1, 1), (2, 1), (7, 1)])
def test_after_a_loss_one_picture_at_a_time_is_processed(memory_losses: int, most: int) -> None:
    scene = Scene(memory_losses)
    run(scene.process_three())
    assert scene.processor.most == most


def test_only_after_two_losses_each_shot_is_named_before() -> None:
    for memory_losses in (0, 1):
        scene = Scene(memory_losses)
        run(scene.process_three())
        assert scene.named == []
    scene = Scene(2)
    run(scene.process_three())
    assert scene.named == [("shot-0", set()), ("shot-1", set()), ("shot-2", set())]
    assert scene.state.processing is None


def test_no_picture_is_processed_before_its_name_is_acknowledged() -> None:
    scene = Scene(2, is_down=True)
    with pytest.raises(Undeliverable):
        run(scene.process_three())
    assert scene.processor.most == 0
    assert scene.state.processing is None
