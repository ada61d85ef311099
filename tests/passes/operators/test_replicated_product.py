import pytest
import torch

import passes.statistics  # noqa: F401

tlc = torch.ops.tlc


@pytest.mark.parametrize(("size", "window"), [((1, 1), 1), ((5, 7), 3), ((4, 4), 9), ((1, 12), 5)])
def test_each_pixel_is_multiplied_by_the_window_clamped_around_it(size, window):
    x = torch.randn(2, 3, *size, dtype=torch.float64)
    k = [min(length, window) for length in size]
    interior = torch.randn(2, 3, size[0] - k[0] + 1, size[1] - k[1] + 1, dtype=torch.float64)
    got = tlc.replicated_product(x, interior)
    for row in range(size[0]):
        for column in range(size[1]):
            place = [
                min(max(at - (length - 1) // 2, 0), last - 1)
                for at, length, last in zip((row, column), k, interior.shape[2:], strict=True)
            ]
            expected = x[:, :, row, column] * interior[:, :, place[0], place[1]]
            assert torch.equal(got[:, :, row, column], expected)


def test_an_interior_larger_than_the_map_is_refused():
    with pytest.raises(ValueError, match="does not fit"):
        tlc.replicated_product(torch.zeros(1, 1, 4, 6), torch.zeros(1, 1, 5, 5))
