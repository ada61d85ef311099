"""How HINet's stages are wired, written out level by level for a depth of three from the state dict alone."""

from __future__ import annotations

import torch
import torch.nn.functional as F

from tlcconvert.architectures.hinet import HINet

State = dict[str, torch.Tensor]


def conv(state: State, name: str, x: torch.Tensor, **options: int) -> torch.Tensor:
    weight = state[f"{name}.weight"]
    options.setdefault("padding", weight.shape[-1] // 2)
    return F.conv2d(x, weight, state.get(f"{name}.bias"), **options)


def block(state: State, name: str, x: torch.Tensor) -> torch.Tensor:
    y = conv(state, f"{name}.conv_1", x)
    if f"{name}.norm.weight" in state:
        half = y.shape[1] // 2
        y_norm = F.instance_norm(
            y[:, :half], weight=state[f"{name}.norm.weight"], bias=state[f"{name}.norm.bias"]
        )
        y = torch.cat([y_norm, y[:, half:]], 1)
    y = F.leaky_relu(conv(state, f"{name}.conv_2", F.leaky_relu(y, 0.2)), 0.2)
    return y + conv(state, f"{name}.identity", x)


def down(state: State, name: str, x: torch.Tensor) -> torch.Tensor:
    return conv(state, f"{name}.downsample", x, stride=2, padding=1)


def up(state: State, name: str, x: torch.Tensor, skipped: torch.Tensor) -> torch.Tensor:
    doubled = F.conv_transpose2d(x, state[f"{name}.up.weight"], state[f"{name}.up.bias"], stride=2)
    return block(state, f"{name}.conv_block", torch.cat([doubled, skipped], 1))


def stages(state: State, image: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    encoded_0 = block(state, "down_path_1.0", conv(state, "conv_01", image))
    encoded_1 = block(state, "down_path_1.1", down(state, "down_path_1.0", encoded_0))
    encoded_2 = block(state, "down_path_1.2", down(state, "down_path_1.1", encoded_1))
    decoded_1 = up(state, "up_path_1.0", encoded_2, conv(state, "skip_conv_1.0", encoded_1))
    decoded_0 = up(state, "up_path_1.1", decoded_1, conv(state, "skip_conv_1.1", encoded_0))

    first = conv(state, "sam12.conv2", decoded_0) + image
    gate = torch.sigmoid(conv(state, "sam12.conv3", first))
    attended = decoded_0 + conv(state, "sam12.conv1", decoded_0) * gate

    start = conv(state, "cat12", torch.cat([conv(state, "conv_02", image), attended], 1))
    second_0 = block(state, "down_path_2.0", start)
    second_0 = second_0 + conv(state, "down_path_2.0.csff_enc", encoded_0)
    second_0 = second_0 + conv(state, "down_path_2.0.csff_dec", decoded_0)
    second_1 = block(state, "down_path_2.1", down(state, "down_path_2.0", second_0))
    second_1 = second_1 + conv(state, "down_path_2.1.csff_enc", encoded_1)
    second_1 = second_1 + conv(state, "down_path_2.1.csff_dec", decoded_1)
    second_2 = block(state, "down_path_2.2", down(state, "down_path_2.1", second_1))
    rebuilt_1 = up(state, "up_path_2.0", second_2, conv(state, "skip_conv_2.0", second_1))
    rebuilt_0 = up(state, "up_path_2.1", rebuilt_1, conv(state, "skip_conv_2.1", second_0))
    return first, conv(state, "last", rebuilt_0) + image


@torch.no_grad()
def test_both_stages_are_wired_as_published() -> None:
    torch.manual_seed(0)
    network = HINet(channels=4, depth=3, normalized_levels=(0, 2)).double().eval()
    for parameter in network.parameters():
        parameter.add_(torch.randn_like(parameter), alpha=0.1)
    image = torch.rand(2, 3, 8, 12, dtype=torch.float64)
    expected = stages(network.state_dict(), image)
    for output, stage in zip(network(image), expected, strict=True):
        torch.testing.assert_close(output, stage, rtol=1e-12, atol=1e-12)
