"""Videos of all kinds, damaged ones too."""

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from av.video.stream import VideoStream
from PIL import Image

from omote.data import images, videos
from omote.data.images import VIDEO_SUFFIXES, Unreadable, read_photo
from omote.data.videos import Excerpt, estimate_num_frames, read_video
from omote.errors import OmoteError
from tests.data.test_images import BLUE, GREEN, RED, WHITE, corners, quarters


def write_video(file: Path, frames: int = 20, fps: int = 10, rotation: int = 0, noise: int = 0) -> Path:
    """Write a video of `quarters()` that darkens by 5 levels per frame."""
    with av.open(str(file), "w") as container:
        stream = container.add_stream("mpeg4", rate=fps, options={"qmin": "4", "qmax": "4"})
        stream.width, stream.height, stream.pix_fmt = 48, 32, "yuv420p"
        stream.time_base = Fraction(1, fps)
        stream.gop_size = 1
        if rotation:
            stream.set_display_rotation(rotation)
        for number in range(frames):
            grain = np.random.default_rng(number).integers(-noise, noise + 1, (32, 48, 3))
            image = np.clip(quarters().astype(int) - 5 * number + grain, 0, 255).astype(np.uint8)
            frame = av.VideoFrame.from_ndarray(image, format="rgb24")
            frame.pts = number
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return file


@pytest.mark.parametrize("suffix", ["mp4", "mov", "mkv", "avi"])
def test_a_video_gives_all_frames_in_order_with_their_times(tmp_path: Path, suffix: str) -> None:
    frames = list(read_video(write_video(tmp_path / f"clip.{suffix}")))
    assert [frame.number for frame in frames] == list(range(20))
    assert [frame.time for frame in frames] == pytest.approx([number / 10 for number in range(20)], abs=1e-3)
    assert frames[0].image.shape == (32, 48, 3)
    assert corners(frames[0].image) == [RED, GREEN, BLUE, WHITE]
    brightness = [float(frame.image.mean()) for frame in frames]
    assert brightness == sorted(brightness, reverse=True)


@pytest.mark.parametrize(
    ("fps", "numbers"),
    [(5, range(0, 20, 2)), (10, range(20)), (100, range(20)), (4, [0, 3, 5, 8, 10, 13, 15, 18])],
)
def test_frames_are_taken_at_equal_intervals(tmp_path: Path, fps: float, numbers: range | list[int]) -> None:
    file = write_video(tmp_path / "clip.mp4")
    assert [frame.number for frame in read_video(file, Excerpt(fps=fps))] == list(numbers)


@pytest.mark.parametrize(
    ("excerpt", "numbers"),
    [
        (Excerpt(every=6), [0, 6, 12, 18]),
        (Excerpt(start=0.5, end=1.0), range(5, 11)),
        (Excerpt(every=4, start=0.25), [3, 7, 11, 15, 19]),
        (Excerpt(fps=2, start=0.3, end=1.4), [3, 8, 13]),
        (Excerpt(start=99), []),
    ],
)
def test_an_excerpt_can_be_resumed_after_any_frame(
    tmp_path: Path, excerpt: Excerpt, numbers: range | list[int]
) -> None:
    file = write_video(tmp_path / "clip.mp4")
    assert [frame.number for frame in read_video(file, excerpt)] == list(numbers)
    for after in (3, 12, 19):
        rest = [frame.number for frame in read_video(file, excerpt, after=after)]
        assert rest == [number for number in numbers if number > after]


def test_frames_per_second_are_counted_by_time_stamps_when_a_recording_pauses(tmp_path: Path) -> None:
    """10 frames per second, a pause of 4 s, then more: one frame per second is taken, and none for the pause."""
    file = tmp_path / "clip.mkv"
    with av.open(str(file), "w") as container:
        stream = container.add_stream("mpeg4", rate=10)
        stream.width, stream.height, stream.pix_fmt = 48, 32, "yuv420p"
        for number in [*range(20), *range(60, 80)]:
            frame = av.VideoFrame.from_ndarray(quarters(), format="rgb24")
            frame.pts, frame.time_base = number, Fraction(1, 10)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    frames = list(read_video(file, Excerpt(fps=1)))
    assert [frame.number for frame in frames] == [0, 10, 20, 30]
    assert [frame.time for frame in frames] == pytest.approx([0, 1, 6, 7])


@pytest.mark.parametrize(
    ("excerpt", "message"),
    [
        (Excerpt(every=0), "every is 0"),
        (Excerpt(fps=0), "fps is 0"),
        (Excerpt(fps=float("nan")), "fps is nan"),
        (Excerpt(every=2, fps=5), "give one of them"),
        (Excerpt(start=5, end=5), "the end has to come after the start"),
        (Excerpt(start=-1), "neither before 0"),
    ],
)
def test_an_invalid_excerpt_is_refused(excerpt: Excerpt, message: str) -> None:
    with pytest.raises(OmoteError, match=message):
        excerpt.check()


@pytest.mark.parametrize("suffix", ["mp4", "avi", "mkv"])  # Matroska does not store the number of frames
@pytest.mark.parametrize(
    ("count", "numbers"),
    [
        (1, [0]),
        (2, [0, 19]),
        (4, [0, 6, 13, 19]),
        (7, [0, 3, 6, 10, 13, 16, 19]),
        (20, range(20)),
        (99, range(20)),
    ],
)
def test_a_number_of_frames_is_taken_evenly_with_first_and_last(
    tmp_path: Path, suffix: str, count: int, numbers: range | list[int]
) -> None:
    file = write_video(tmp_path / f"clip.{suffix}")
    frames = list(read_video(file, count=count))
    every = list(read_video(file))
    assert [frame.number for frame in frames] == list(numbers)
    assert all(np.array_equal(frame.image, every[frame.number].image) for frame in frames)


def test_a_truncated_video_gives_the_chosen_frames_before_its_end(tmp_path: Path) -> None:
    file = with_index_first(write_video(tmp_path / "clip.mp4", frames=41, noise=40))
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    frames, seen = read_video(file, count=9), list[int]()
    with pytest.raises(Unreadable, match="damaged video"):
        seen.extend(frame.number for frame in frames)
    assert seen in ([0, 5, 10, 15], [0, 5, 10, 15, 20])  # of 0, 5 ... 40


@pytest.mark.parametrize(
    ("rotation", "expected"),
    [
        (90, [GREEN, WHITE, RED, BLUE]),  # displayed rotated counterclockwise
        (-90, [BLUE, RED, WHITE, GREEN]),
        (180, [WHITE, BLUE, GREEN, RED]),
    ],
)
def test_videos_are_rotated_by_their_tag(
    tmp_path: Path, rotation: int, expected: list[tuple[int, int, int]]
) -> None:
    frame = next(iter(read_video(write_video(tmp_path / "clip.mp4", rotation=rotation))))
    assert frame.image.shape == ((32, 48, 3) if rotation == 180 else (48, 32, 3))
    assert corners(frame.image) == expected


@pytest.mark.parametrize("suffix", ["avi", "mkv", "mp4"])
def test_a_truncated_video_gives_its_good_frames_and_then_an_error(tmp_path: Path, suffix: str) -> None:
    file = write_video(tmp_path / f"clip.{suffix}", frames=40, noise=40)
    if suffix == "mp4":  # its index is at the end: move it to the front, as for streaming
        file = with_index_first(file)
    content = file.read_bytes()
    file.write_bytes(content[: len(content) // 2])
    frames, seen = read_video(file), list[int]()
    with pytest.raises(Unreadable, match="damaged video"):
        seen.extend(frame.number for frame in frames)
    assert seen == list(range(len(seen)))
    assert 10 < len(seen) < 30


def with_index_first(file: Path) -> Path:
    other = file.with_name(f"web_{file.name}")
    with av.open(str(file)) as source, av.open(str(other), "w", options={"movflags": "faststart"}) as target:
        stream = target.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(video=0):
            if packet.dts is not None:
                packet.stream = stream
                target.mux(packet)
    return other


def test_a_file_that_is_no_video_is_unreadable(tmp_path: Path) -> None:
    for content in (b"", b"dear diary" * 100):
        (tmp_path / "clip.mp4").write_bytes(content)
        with pytest.raises(Unreadable, match="unreadable"):
            next(read_video(tmp_path / "clip.mp4"))


def test_large_videos_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (images, videos):
        monkeypatch.setattr(module, "MAX_MEGAPIXELS", 0.001)
    with pytest.raises(Unreadable, match="too large: 48 x 32 pixels"):
        next(read_video(write_video(tmp_path / "clip.mp4")))


def test_what_ffmpeg_decodes_is_limited_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The header of this file does not give the size of the frames."""
    for module in (images, videos):
        monkeypatch.setattr(module, "MAX_MEGAPIXELS", 0.0005)
    with pytest.raises(Unreadable, match=r"more than 0\.0005 megapixels a frame"):
        next(read_video(write_video(tmp_path / "clip.mp4")))


# suffix -> format and codec of PyAV
CONTAINERS = {
    ".mp4": ("mp4", "mpeg4"), ".m4v": ("mp4", "mpeg4"), ".mov": ("mov", "mpeg4"), ".3gp": ("3gp", "h263"),
    ".avi": ("avi", "mpeg4"), ".mkv": ("matroska", "mpeg4"), ".webm": ("webm", "libvpx"), ".flv": ("flv", "flv"),
    ".mpg": ("mpeg", "mpeg1video"), ".mpeg": ("mpeg", "mpeg1video"), ".mts": ("mpegts", "mpeg2video"),
    ".wmv": ("asf", "wmv2"),
}  # fmt: skip


def write_container(file: Path, container: str, codec: str) -> Path:
    """Write five frames that darken."""
    with av.open(f"file:{file}", "w", format=container) as target:
        stream = target.add_stream(codec, rate=25)
        assert isinstance(stream, VideoStream)
        stream.width, stream.height, stream.pix_fmt = 176, 144, "yuv420p"
        for number in range(5):
            frame = av.VideoFrame.from_ndarray(
                np.full((144, 176, 3), 200 - 20 * number, np.uint8), format="rgb24"
            )
            frame.pts, frame.time_base = number, Fraction(1, 25)
            target.mux(stream.encode(frame))
        target.mux(stream.encode())
    return file


@pytest.mark.parametrize("suffix", sorted(VIDEO_SUFFIXES))
def test_every_suffix_opens_with_the_frames_that_ffmpeg_finds(tmp_path: Path, suffix: str) -> None:
    file = write_container(tmp_path / f"clip{suffix}", *CONTAINERS[suffix])
    with av.open(str(file)) as container:
        expected = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    assert len(expected) == 5
    assert np.array_equal([frame.image for frame in read_video(file)], expected)


def test_playlists_are_refused(tmp_path: Path) -> None:
    """FFmpeg knows them by their content, and would read the files and addresses that they name."""
    write_container(tmp_path / "other.mts", "mpegts", "mpeg2video")
    file = tmp_path / "clip.mp4"
    file.write_text("ffconcat version 1.0\nfile other.mts\n")
    with av.open(str(file)) as container:
        assert len(list(container.decode(video=0))) == 5  # what is to be prevented
    for text in (
        file.read_text(),
        "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nother.mts\n#EXT-X-ENDLIST\n",
        f"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nfile://{tmp_path}/other.mts\n#EXT-X-ENDLIST\n",
    ):
        file.write_text(text)
        with pytest.raises(Unreadable, match="unreadable"):
            next(read_video(file))
        assert estimate_num_frames(file, Excerpt()) == 0


def test_a_name_with_a_colon_is_a_file_and_no_protocol(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    file = write_container(Path("2024-01-01T12:30:00.mp4"), "mp4", "mpeg4")
    assert len(list(read_video(file))) == len(list(read_video(file.absolute()))) == 5
    file.rename("one.mts")
    for name in ("concat:one.mts|one.mts", "http://localhost/one.mp4", "data:one.mp4", "crypto:one.mts"):
        with pytest.raises(Unreadable, match="No such file"):
            next(read_video(name))


def test_a_video_with_an_unknown_codec_is_unreadable(tmp_path: Path) -> None:
    file = write_container(tmp_path / "clip.avi", "avi", "mpeg4")
    file.write_bytes(file.read_bytes().replace(b"FMP4", b"ZZZZ"))
    with pytest.raises(Unreadable, match="codec of the video is unknown"):
        next(read_video(file))
    assert estimate_num_frames(file, Excerpt()) == 0


@pytest.mark.parametrize("suffix", ["mp4", "mkv"])
@pytest.mark.parametrize("excerpt", [Excerpt(), Excerpt(every=4), Excerpt(fps=5), Excerpt(start=1, end=1.5)])
def test_the_number_of_frames_is_estimated_before_reading(
    tmp_path: Path, suffix: str, excerpt: Excerpt
) -> None:
    file = write_video(tmp_path / f"clip.{suffix}")
    assert estimate_num_frames(file, excerpt) == pytest.approx(len(list(read_video(file, excerpt))), abs=1)


def test_single_frames_are_read_without_decoding_the_rest(tmp_path: Path) -> None:
    file = with_index_first(write_video(tmp_path / "clip.mp4", frames=40, noise=40))
    whole = list(read_video(file))
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    frames = list(read_video(file, only={7, 2}))
    assert [frame.number for frame in frames] == [2, 7]
    assert all(np.array_equal(frame.image, whole[frame.number].image) for frame in frames)


@pytest.mark.parametrize("read", [read_photo, lambda file: list(read_video(file, count=3))])
def test_errors_of_any_kind_become_a_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, read: Callable[[Path], object]
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise AttributeError("'NoneType' object has no attribute 'width'\nand more")

    file = write_video(tmp_path / "clip.avi")
    monkeypatch.setattr(Image, "open", fail)
    monkeypatch.setattr(av, "open", fail)
    with pytest.raises(Unreadable, match=r"^unreadable: damaged \(AttributeError: 'NoneType' .* 'width'\)$"):
        read(file)
