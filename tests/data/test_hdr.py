"""HDR video becomes the SDR pixels that the same scene would have."""

from pathlib import Path

import av
import numpy as np
import pytest
from av.video.stream import VideoStream
from numpy.typing import NDArray

from omote.data.hdr import HLG, PQ, map_tones
from omote.data.videos import read_video

# Light of skin, grey and colours under half of reference white, relative to it; linear BT.709.
SCENE = np.array(
    [[0.40, 0.23, 0.16], [0.18, 0.18, 0.18], [0.05, 0.03, 0.02], [0.1, 0.3, 0.1], [0.02, 0.05, 0.3]]
)
TO_BT2020 = np.array(
    [[0.6274, 0.3293, 0.0433], [0.0691, 0.9195, 0.0114], [0.0164, 0.0880, 0.8956]]
)  # BT.2087


def code_pq(light: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the PQ signal of cd/m2 (BT.2100, inverse EOTF)."""
    power = (light / 10_000) ** 0.1593017578125
    return ((0.8359375 + 18.8515625 * power) / (1 + 18.6875 * power)) ** 78.84375


def code_hlg(light: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the HLG signal of cd/m2 on a display of 1000 cd/m2 (BT.2100, inverse OOTF and OETF)."""
    shown = light / 1000
    luminance = shown @ [0.2627, 0.6780, 0.0593]
    scene = shown * np.where(luminance > 0, np.maximum(luminance, 1e-9) ** (1 / 1.2 - 1), 0)[..., None]
    upper = 0.17883277 * np.log(np.maximum(12 * scene - 0.28466892, 1e-9)) + 0.55991073
    return np.where(scene <= 1 / 12, np.sqrt(3 * scene), upper)


CODES = {PQ: code_pq, HLG: code_hlg}


@pytest.mark.parametrize("transfer", CODES)
def test_faces_keep_their_light(transfer: int) -> None:
    coded = CODES[transfer](203 * SCENE @ TO_BT2020.T)
    pixels = map_tones(np.round(65535 * coded[None]).astype(np.uint16), transfer)
    assert pixels.dtype == np.uint8
    assert np.abs(pixels[0] - 255 * SCENE ** (1 / 2.4)).max() <= 1.5


@pytest.mark.parametrize("transfer", CODES)
def test_highlights_roll_off_to_white_and_do_not_clip(transfer: int) -> None:
    light = np.geomspace(1, 1000, 200)[:, None] * np.ones(3)
    grey = map_tones(np.round(65535 * CODES[transfer](light)[None]).astype(np.uint16), transfer)[
        0, :, 1
    ].astype(int)
    assert (np.diff(grey) >= 0).all()
    assert grey[-1] == 255
    assert 220 < grey[np.searchsorted(light[:, 0], 203)] < 232  # reference white leaves room for highlights
    assert map_tones(np.zeros((1, 1, 3), np.uint16), transfer).max() == 0


@pytest.mark.parametrize("transfer", CODES)
def test_hdr_videos_are_read_as_sdr(tmp_path: Path, transfer: int) -> None:
    """Ten bits, BT.2020, as phones record; without the mapping, PQ looks grey and flat."""
    file = tmp_path / "clip.mkv"
    coded = CODES[transfer](203 * SCENE @ TO_BT2020.T)
    red, _, blue = coded.T
    luma = coded @ [0.2627, 0.6780, 0.0593]
    planes = np.stack(
        [64 + 876 * luma, 512 + 896 * (blue - luma) / 1.8814, 512 + 896 * (red - luma) / 1.4746]
    )
    with av.open(str(file), "w") as container:
        stream = container.add_stream("ffv1", rate=25)
        assert isinstance(stream, VideoStream)
        stream.width, stream.height, stream.pix_fmt = 16 * len(SCENE), 16, "yuv444p10le"
        frame = av.VideoFrame(16 * len(SCENE), 16, "yuv444p10le")
        for plane, values in zip(frame.planes, planes, strict=True):
            line = np.zeros(plane.line_size // 2, np.uint16)
            line[: 16 * len(SCENE)] = np.round(values).repeat(16)
            plane.update(np.tile(line, (16, 1)).tobytes())
        for holder in (stream.codec_context, frame):
            holder.color_trc, holder.color_primaries, holder.colorspace, holder.color_range = (
                transfer,
                9,
                9,
                1,
            )
        container.mux(stream.encode(frame))
        container.mux(stream.encode())
    image = next(read_video(file)).image
    assert np.abs(image[8, 8::16] - 255 * SCENE ** (1 / 2.4)).max() <= 4
