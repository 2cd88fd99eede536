from __future__ import annotations

from deepret.training.proposals.joint import VARIANTS, BoxBatches


def drawn(seed: int = 0, epoch: int = 0, rank: int = 0, rows: int = 10) -> list[list[tuple[int, int]]]:
    """Row and variant of each image of each step."""
    batches = BoxBatches(rows, 4, 5, seed, rank)
    batches.set_epoch(epoch)
    return [[divmod(item, VARIANTS) for item in step] for step in batches]


def test_each_step_draws_other_images_and_each_epoch_another_variant() -> None:
    for epoch in (0, 1, 7):
        steps = drawn(epoch=epoch)
        assert len(steps) == 5
        assert all(len({row for row, _ in step}) == 4 for step in steps)
        assert {variant for step in steps for _, variant in step} == {1 + epoch}  # 0 is the image as it is
        assert all(0 <= row < 10 for step in steps for row, _ in step)


def test_draws_depend_on_seed_epoch_and_rank_alone() -> None:
    rows = [
        [[row for row, _ in step] for step in drawn(*which)] for which in ((0, 0, 0), (1, 0, 0), (0, 1, 0), (0, 0, 1))
    ]
    assert drawn() == drawn()
    assert all(rows[0] != other for other in rows[1:])


def test_few_images_are_drawn_more_than_once() -> None:
    assert all(len(step) == 4 for step in drawn(rows=2))
