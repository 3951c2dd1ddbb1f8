"""The networks have the rows of the paper's Tables 1 and 2, with the printed output shapes."""

import pytest
import torch
from torch import Tensor, nn

from omote.models.critic import Critic
from omote.models.decoder import Decoder
from omote.models.discriminator import Discriminator
from omote.models.encoder import Encoder
from omote.models.painter import Painter

TABLE_1 = {
    64: [(32, 32), (32, 32), (64, 16), (64, 16), (128, 8), (128, 8), (256, 4), (256, 4)],
    128: [
        (32, 64),
        (32, 64),
        (64, 32),
        (64, 32),
        (128, 16),
        (128, 16),
        (256, 8),
        (256, 8),
        (256, 4),
        (256, 4),
    ],
}
TABLE_2 = {64: [(128, 8)] * 2 + [(64, 16)] * 2 + [(32, 32)] * 2 + [(16, 64)] * 2}
TABLE_2[128] = TABLE_2[64] + [(8, 128)] * 2
KERNELS = {64: [4, 3, 4, 3, 3, 3, 3, 3, 3], 128: [4, 3, 4, 3, 3, 3, 3, 3, 3, 3, 3]}  # deconv1_1 to conv6


def convolutions(network: nn.Module, given: Tensor) -> list[tuple[nn.Module, tuple[int, ...]]]:
    """Return each convolution of a network, in order, with its output shape."""
    rows: list[tuple[nn.Module, tuple[int, ...]]] = []
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d):
            layer.register_forward_hook(lambda layer, _, out: rows.append((layer, tuple(out.shape))))
    network(given)
    return rows


@pytest.mark.parametrize("size", [64, 128])
@pytest.mark.parametrize("network", [Encoder, Discriminator])
def test_encoder_and_discriminator_have_the_rows_of_table_1(size: int, network: type[Encoder]) -> None:
    rows = convolutions(network(size), torch.rand(2, 3, size, size))
    assert [shape for _, shape in rows] == [(2, channels, side, side) for channels, side in TABLE_1[size]]
    for number, (layer, _) in enumerate(rows):
        assert isinstance(layer, nn.Conv2d)
        assert (layer.kernel_size, layer.padding) == ((3, 3), (1, 1))
        assert layer.stride == ((2, 2) if number % 2 == 0 else (1, 1))


@pytest.mark.parametrize("size", [64, 128])
def test_decoder_has_the_rows_of_table_2(size: int) -> None:
    decoder = Decoder(size)
    assert decoder.fc1.out_features == 4096
    rows = convolutions(decoder, torch.randn(2, 128))
    expected = [(2, channels, side, side) for channels, side in TABLE_2[size]] + [(2, 3, size, size)]
    assert [shape for _, shape in rows] == expected
    assert [layer.kernel_size for layer, _ in rows] == [(k, k) for k in KERNELS[size]]
    assert [isinstance(layer, nn.ConvTranspose2d) for layer, _ in rows][:-1] == [True, False] * (
        len(rows) // 2
    )


@pytest.mark.parametrize("size", [64, 128])
def test_the_painter_has_the_maps_of_table_2_and_adds_nothing_before_its_training(size: int) -> None:
    painter, coarse = Painter(size), 0.01 + 0.98 * torch.rand(2, 3, size, size)
    shapes: list[tuple[int, ...]] = []
    for layer in painter.modules():
        if isinstance(layer, nn.Conv2d):
            layer.register_forward_hook(lambda _, __, out: shapes.append(tuple(out.shape)))
    torch.testing.assert_close(painter(torch.randn(2, 128), coarse), coarse)
    assert {(2, channels, side, side) for channels, side in TABLE_2[size]} <= set(shapes)


def test_the_painter_takes_every_width_that_the_options_allow() -> None:
    for width in (8, 12, 20, 28, 44):
        coarse = torch.full((1, 3, 64, 64), 0.3)
        assert Painter(64, width=width)(torch.randn(1, 128), coarse).shape == coarse.shape


def test_the_painter_leaves_no_grid() -> None:
    """Where its first maps are constant and there is no border, so is what it adds."""
    torch.manual_seed(0)
    painter = Painter(64, width=8)
    nn.init.normal_(painter.last.weight)
    painter.fc.register_forward_hook(lambda _, __, out: torch.ones_like(out))
    for layer in painter.modules():
        if isinstance(layer, nn.Conv2d) and layer.kernel_size == (3, 3):
            layer.padding_mode = "circular"
    image = painter(torch.randn(1, 128), torch.full((1, 3, 64, 64), 0.5))
    assert image.std((2, 3)).max() < 1e-5
    assert (image - 0.5).abs().max() > 0.01


@pytest.mark.parametrize("size", [64, 128])
def test_outputs_are_codes_of_64_numbers_images_in_0_to_1_and_one_logit_per_image(size: int) -> None:
    images = torch.rand(3, 3, size, size)
    posterior = Encoder(size)(images)
    assert posterior.mean.shape == posterior.logvar.shape == (3, 64)
    made = Decoder(size)(torch.randn(3, 128))
    assert made.shape == images.shape
    assert 0 <= made.min() < made.max() <= 1
    assert Discriminator(size)(images).shape == (3,)


def test_a_logit_of_the_discriminator_does_not_depend_on_the_other_images() -> None:
    discriminator, images = Discriminator(64, width=8), torch.rand(4, 3, 64, 64)
    torch.testing.assert_close(discriminator(images)[:1], discriminator(images[:1]))


@pytest.mark.parametrize("size", [64, 128])
def test_the_critic_judges_places_persons_and_variety(size: int) -> None:
    torch.manual_seed(0)
    critic, images, z_i = (
        Critic(size, width=8, latent_size=5),
        torch.rand(4, 3, size, size),
        torch.randn(4, 5),
    )
    logits = critic(images, z_i)
    assert logits.shape == (4,)
    assert torch.equal(logits, critic(images, -z_i))  # before its training
    nn.init.normal_(critic.of_person.weight)
    assert not torch.isclose(critic(images, z_i), critic(images, -z_i)).any()
    moved = critic(images.roll(size // 2, 3), z_i)
    assert not torch.isclose(moved, critic(images, z_i)).any()
    assert not torch.isclose(critic(images[:1], z_i[:1]), critic(images, z_i)[0])  # alone, nothing differs
    alike = images[:1].repeat(4, 1, 1, 1).requires_grad_()
    critic(alike, z_i).sum().backward()
    assert alike.grad is not None
    assert alike.grad.isfinite().all()


def test_another_image_size_is_refused() -> None:
    with pytest.raises(ValueError, match="96 was given"):
        Encoder(96)
    with pytest.raises(ValueError, match="96 was given"):
        Decoder(96)


def test_he_initialisation_keeps_the_variance_of_the_signal_from_layer_to_layer() -> None:
    torch.manual_seed(0)
    pairs = (
        (Encoder(64, normalisation="none"), torch.randn(64, 3, 64, 64)),
        (Decoder(64), torch.randn(64, 128)),
    )
    for network, given in pairs:
        sizes: list[float] = []

        def hook(_: nn.Module, __: object, out: Tensor, sizes: list[float] = sizes) -> None:
            sizes.append(out.square().mean().item())

        for layer in network.modules():
            if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d):
                layer.register_forward_hook(hook)
        network(given)
        assert all(
            0.3 < size < 6 for size in sizes[:-1]
        )  # a wrong fan-in changes it by a factor of 4 per layer


def test_away_from_the_border_a_condition_equals_constant_input_channels() -> None:
    encoder = Encoder(64, width=8, latent_size=4, condition_size=3, normalisation="none")
    images, condition = torch.rand(2, 3, 64, 64), torch.eye(3)[:2]
    first = encoder.trunk[0]
    assert isinstance(first, nn.Conv2d)
    assert encoder.condition is not None
    wider = nn.Conv2d(6, 8, 3, 2, 1)
    with torch.no_grad():
        wider.weight[:, :3], wider.bias = first.weight, first.bias
        # nine equal weights add up to that of the condition
        wider.weight[:, 3:] = encoder.condition.weight[:, :, None, None] / 9
    maps = condition[:, :, None, None].expand(-1, -1, 64, 64)
    expected = wider(torch.cat([images, maps], 1))
    ours = first(images) + encoder.condition(condition)[:, :, None, None]
    torch.testing.assert_close(ours[:, :, 1:-1, 1:-1], expected[:, :, 1:-1, 1:-1], atol=1e-5, rtol=0)
    assert not torch.allclose(encoder(images, condition).mean, encoder(images, condition.flip(0)).mean)
