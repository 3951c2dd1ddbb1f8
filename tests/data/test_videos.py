"""Videos of all kinds, damaged ones too."""

import io
import random
import re
from collections.abc import Callable, Collection, Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from av.audio.stream import AudioStream
from av.stream import Disposition
from av.video.stream import VideoStream
from PIL import Image

from omote.data import images, videos
from omote.data.images import VIDEO_SUFFIXES, Unreadable, read_photo
from omote.data.videos import Excerpt, Note, VideoFrame, estimate_num_frames, read_video
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


def test_a_number_of_frames_is_spread_over_what_a_truncated_file_still_holds(tmp_path: Path) -> None:
    file = with_index_first(write_video(tmp_path / "clip.mp4", frames=41, noise=40))
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    numbers = [frame.number for frame in read_video(file, count=9)]
    assert numbers == list(range(0, 16, 2))  # of 17 frames that are left; the last is cut through


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
def test_a_truncated_video_gives_its_good_frames_and_says_where_it_ends(tmp_path: Path, suffix: str) -> None:
    file = write_video(tmp_path / f"clip.{suffix}", frames=40, noise=40)
    if suffix == "mp4":  # its index is at the end: move it to the front, as for streaming
        file = with_index_first(file)
    content = file.read_bytes()
    file.write_bytes(content[: len(content) // 2])
    notes = list[Note]()
    seen = [frame.number for frame in read_video(file, notes=notes)]
    assert seen == list(range(len(seen)))
    assert 10 < len(seen) < 30
    cut_through = (
        suffix != "mkv"
    )  # FFmpeg's reader of Matroska drops the last, incomplete frame without a word
    assert [note.frame for note in notes[:-1]] == [len(seen), None] * cut_through
    end = (len(seen) + cut_through) / 10
    assert re.match(rf"early end: the video ends at {end:.2f} s and not at [24].00 s", notes[-1].reason)


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
    # H.263 has pixels of 12:11 at this size
    width = 192 if suffix == ".3gp" else 176
    with av.open(str(file)) as container:
        frames = [frame.reformat(width, 144, "rgb24") for frame in container.decode(video=0)]
    images = np.array([frame.image for frame in read_video(file)])
    assert images.shape == (5, 144, width, 3)
    assert np.abs(images - np.array([frame.to_ndarray() for frame in frames], int)).max() <= 2 * (
        width == 192
    )


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


@pytest.mark.parametrize(
    ("name", "codec", "options"),
    [
        ("clip.avi", "libx264", {"bf": "3"}),
        ("clip.avi", "mpeg4", {"bf": "2"}),
        ("clip.wmv", "libx264", {"bf": "3"}),
        ("clip.mp4", "libx264", {"bf": "3"}),
        ("clip.mkv", "libx264", {"bf": "3"}),
    ],
)
def test_frames_come_in_order_of_display_at_rising_times(
    tmp_path: Path, name: str, codec: str, options: dict[str, str]
) -> None:
    """AVI and WMV hold the frames in the order of decoding, with no time of display."""
    file = write_film(tmp_path / name, codec=codec, options=options, frames=60)
    notes = list[Note]()
    frames = list(read_video(file, notes=notes))
    assert [frame.time for frame in frames] == pytest.approx(np.arange(60) / 25, abs=1e-3)
    assert [read_number(frame) for frame in frames] == list(range(60))
    assert notes == []
    taken = read_video(file, Excerpt(fps=5, start=0.4, end=1.2))
    assert [read_number(frame) for frame in taken] == [10, 15, 20, 25, 30]


@pytest.mark.parametrize(
    ("name", "codec", "sound"),
    [
        ("clip.mp4", "libx264", "aac"),
        ("clip.mkv", "libx264", "pcm_s16le"),
        ("clip.webm", "libvpx", "libopus"),
        ("clip.mts", "libx264", "mp2"),
        ("clip.flv", "libx264", "aac"),
    ],
)
def test_times_are_those_of_a_player(tmp_path: Path, name: str, codec: str, sound: str) -> None:
    """The sound starts 0.84 s before the picture."""
    file = write_film(tmp_path / name, codec=codec, sound=sound, start=0.84)
    times = [frame.time for frame in read_video(file)]
    late = 0.84 + (
        0.021 if sound == "aac" and name == "clip.flv" else 0.0
    )  # the coder of the sound adds silence
    assert times == pytest.approx(late + np.arange(50) / 25, abs=0.03)
    assert [read_number(frame) for frame in read_video(file, Excerpt(start=0.99, end=1.31))] == [
        4,
        5,
        6,
        7,
        8,
        9,
        10,
        11,
    ]
    taken = list(read_video(file, Excerpt(fps=5)))
    assert [read_number(frame) for frame in taken] == list(range(0, 50, 5))


def test_the_clock_starts_with_the_first_stream_wherever_the_file_counts_from(tmp_path: Path) -> None:
    """A transport stream counts from any number; this one from 1.4 s, without sound."""
    file = write_film(tmp_path / "clip.mts", start=1.4)
    assert next(read_video(file)).time == 0


def test_what_an_edit_list_cuts_off_is_neither_shown_nor_missed(tmp_path: Path) -> None:
    """As `ffmpeg -ss 1.1 -c copy` cuts: 28 frames before the cut stay in the file, and in the count of its header."""
    whole, file = write_film(tmp_path / "whole.mp4", frames=100), tmp_path / "clip.mp4"
    with av.open(str(whole)) as source, av.open(str(file), "w") as target:
        old = source.streams.video[0]
        stream = target.add_stream_from_template(old)
        assert old.time_base is not None
        shift = round(Fraction(11, 10) / old.time_base)
        for packet in source.demux(old):
            if packet.pts is not None and packet.dts is not None:
                packet.pts, packet.dts, packet.stream = packet.pts - shift, packet.dts - shift, stream
                target.mux(packet)
    with av.open(str(file)) as container:
        assert container.streams.video[0].frames == 100
    notes = list[Note]()
    frames = list(read_video(file, notes=notes))
    assert [read_number(frame) for frame in frames] == list(range(28, 100))
    assert [frame.time for frame in frames] == pytest.approx(np.arange(72) / 25, abs=1e-3)
    assert notes == []
    assert [read_number(frame) for frame in read_video(file, count=2)] == [28, 99]


@pytest.mark.parametrize("name", ["clip.avi", "clip.mkv", "clip.webm", "clip.wmv", "clip.mts"])
def test_dropped_frames_are_found_by_the_time_stamps_and_are_no_damage(tmp_path: Path, name: str) -> None:
    codec = {"avi": "mpeg4", "wmv": "wmv2", "webm": "libvpx"}.get(name[5:], "libx264")
    file = write_film(tmp_path / name, codec=codec, frames=100, skip={40, 60, 61, 62})
    notes = list[Note]()
    numbers = {read_number(frame): frame.time for frame in read_video(file, notes=notes)}
    assert sorted(numbers) == [*range(40), *range(41, 60), *range(63, 100)]
    assert [numbers[at] for at in (39, 41, 59, 63, 99)] == pytest.approx(
        [1.56, 1.64, 2.36, 2.52, 3.96], abs=1e-3
    )
    places = "1.60 to 1.64 s, 2.40 to 2.52 s"
    assert notes == [
        (40, "frames missing before this one"),
        (59, "frames missing before this one"),
        (None, f"frames are missing: gaps in the time stamps 2; 0.16 s without a usable frame: {places}"),
    ]


def test_a_varying_frame_rate_is_no_gap(tmp_path: Path) -> None:
    """Cameras slow down in the dark; only a long pause is listed. An MP4 file says how long each frame is shown."""
    slow = {*range(41, 100, 2), *range(101, 120, 3), *range(102, 120, 3)}
    for name, pause in (("clip.mkv", ()), ("clip.mp4", range(60, 100)), ("clip.mkv", range(60, 100))):
        notes = list[Note]()
        file = write_film(tmp_path / name, frames=140, skip={*slow, *pause}, options={"bf": "0"})
        assert len(list(read_video(file, notes=notes))) == 140 - len({*slow, *pause})
        assert [note.frame for note in notes] == ([50, None] if pause and name == "clip.mkv" else [])


def test_a_damaged_packet_costs_its_frames_and_no_others(tmp_path: Path) -> None:
    """Two packets of 188 bytes are cut out of a transport stream, a fifth of the way in."""
    file = write_film(tmp_path / "clip.mts", frames=200, options={"g": "12"})
    content = file.read_bytes()
    at = len(content) // 5 // 188 * 188
    file.write_bytes(content[:at] + content[at + 2 * 188 :])
    notes = list[Note]()
    frames = list(read_video(file, notes=notes))
    assert len(frames) >= 195
    lost = [
        round(25 * seconds)
        for seconds in np.setdiff1d(np.arange(200) / 25, [round(f.time, 2) for f in frames])
    ]
    assert len(lost) >= 1
    assert 37 <= min(lost) <= max(lost) <= 43
    for frame in frames:  # up to the next key frame, damage shows
        if not 30 < 25 * frame.time < 48:
            assert read_number(frame) == round(25 * frame.time)
    assert notes[0].frame in lost
    assert re.match(
        rf"damaged video: .*; {len(lost) / 25:.2f} s without a usable frame: 1\.\d\d to ", notes[-1].reason
    )
    rest = list[Note]()
    assert [frame.number for frame in read_video(file, after=150, notes=rest)] == list(range(151, 200))
    assert rest == notes  # a resumed reading decodes from the beginning


@pytest.mark.parametrize("name", ["clip.wmv", "clip.mts", "clip.webm", "clip.mkv", "clip.mpg", "clip.mp4"])
def test_time_lost_to_damage_is_accounted_for(tmp_path: Path, name: str) -> None:
    """Every frame comes at its time, or its time is in the sum of what was lost, or after the end that is named."""
    codec = {"wmv": "wmv2", "webm": "libvpx", "mpg": "mpeg2video"}.get(name[5:], "libx264")
    file = write_film(tmp_path / name, codec=codec, frames=150, options={"g": "12"})
    if name == "clip.mp4":
        file = with_index_first(file)
    content = file.read_bytes()
    for seed in range(12):
        rng = random.Random(seed)
        at, length = rng.randrange(len(content) // 5, len(content) * 4 // 5), rng.choice((50, 400, 2000))
        middle = rng.choice((b"", rng.randbytes(length), bytes(length)))
        file.write_bytes(content[:at] + middle + content[at + length :])
        notes = list[Note]()
        frames = list(read_video(file, notes=notes))
        reasons = " ".join(note.reason for note in notes if note.frame is None)
        lost = re.search(r"; (\d+\.\d\d) s without", reasons)
        early = re.search(r"the video ends at (\d+\.\d\d) s", reasons)
        end = float(early[1]) if early else 6.0
        assert len(frames) / 25 + (float(lost[1]) if lost else 0) == pytest.approx(end, abs=0.05), (
            seed,
            reasons,
        )
        assert np.diff([frame.time for frame in frames]).min() > 0


def test_times_go_on_where_time_stamps_jump_back(tmp_path: Path) -> None:
    """Two recordings in one transport stream, as `cat a.mts b.mts` makes it."""
    file = write_film(tmp_path / "clip.mts", frames=50)
    file.write_bytes(2 * file.read_bytes())
    notes = list[Note]()
    frames = list(read_video(file, notes=notes))
    assert [frame.time for frame in frames] == pytest.approx(
        [frame.number / 25 for frame in frames], abs=1e-3
    )
    assert notes[-1] == (None, "time stamps jump back: after 1.96 s; times go on from there")


@pytest.mark.parametrize(
    ("aspect", "shape"), [("4/3", (64, 171)), ("8/9", (72, 128)), ("200/201", (64, 128))]
)
def test_pixels_are_made_square(tmp_path: Path, aspect: str, shape: tuple[int, int]) -> None:
    """The picture is enlarged. Less than 1 % comes of rounding, and is left alone."""
    file = write_film(tmp_path / "clip.mp4", aspect=Fraction(aspect), frames=4)
    frames = list(read_video(file))
    assert [frame.image.shape[:2] for frame in frames] == [shape] * 4
    assert [read_number(frame) for frame in frames] == [0, 1, 2, 3]
    assert frames[3].image.max() > 250  # the scaler does not darken


def test_the_video_is_the_stream_that_moves(tmp_path: Path) -> None:
    """Cover art as the first stream, a track of one frame."""
    file = write_film(tmp_path / "clip.mkv", extra=[1], frames=72)
    notes = list[Note]()
    assert [read_number(frame) for frame in read_video(file, notes=notes)] == list(range(72))
    assert notes == []
    assert estimate_num_frames(file, Excerpt()) == pytest.approx(72, abs=1)


def test_attached_pictures_are_no_video(tmp_path: Path) -> None:
    cover = io.BytesIO()
    Image.new("RGB", (64, 64)).save(cover, "PNG")
    file = tmp_path / "song.mp4"
    with av.open(str(file), "w") as container:
        stream = container.add_stream("png", rate=1)
        assert isinstance(stream, VideoStream)
        stream.width, stream.height, stream.pix_fmt = 64, 64, "rgb24"
        stream.disposition = Disposition.attached_pic
        container.mux(stream.encode(av.VideoFrame.from_ndarray(np.zeros((64, 64, 3), np.uint8))))
        container.mux(stream.encode())
    with pytest.raises(Unreadable, match="the file has no video"):
        next(read_video(file))


def test_further_videos_of_a_file_are_named_and_can_be_chosen(tmp_path: Path) -> None:
    file = write_film(tmp_path / "clip.mkv", extra=[1, 30], frames=50)
    notes = list[Note]()
    assert len(list(read_video(file, notes=notes))) == 30
    assert notes == [
        (None, "further video: stream 2 (h264, 128 x 64) was not read; omote embed --stream 2 reads it")
    ]
    assert len(list(read_video(file, Excerpt(stream=2)))) == 50
    assert len(list(read_video(file, Excerpt(stream=0)))) == 1
    with pytest.raises(Unreadable, match="stream 3 is no video; the video streams of the file are 0, 1, 2"):
        next(read_video(file, Excerpt(stream=3)))


def write_film(
    file: Path,
    *,
    codec: str = "libx264",
    options: dict[str, str] | None = None,
    frames: int = 50,
    skip: Collection[int] = (),
    start: float = 0.0,
    sound: str | None = None,
    extra: Sequence[int] = (),
    aspect: Fraction | None = None,
) -> Path:
    """Write a film of 25 frames a second, each with its number in black and white bits; see `read_number`.

    Args:
        skip: numbers of frames that are left out, so that the one before is shown longer.
        start: of the first frame, in s; sound of 4 s starts at 0.
        sound: its codec.
        extra: further video streams that come before it, with so many frames each.
    """
    with av.open(f"file:{file}", "w", format="asf" if file.suffix == ".wmv" else None) as container:
        streams: list[VideoStream] = []
        for which in (*["libx264"] * len(extra), codec):
            stream = container.add_stream(which, rate=25, options=options or {})
            assert isinstance(stream, VideoStream)
            stream.width, stream.height, stream.pix_fmt = 128, 64, "yuv420p"
            stream.codec_context.time_base = Fraction(1, 25)
            streams.append(stream)
            if aspect:
                stream.codec_context.sample_aspect_ratio = aspect
        voice = None
        if sound is not None:
            voice = container.add_stream(sound, rate=48000)
            assert isinstance(voice, AudioStream)
            for number in range(400):
                silence = av.AudioFrame.from_ndarray(
                    np.zeros((1, 480), np.int16), format="s16", layout="mono"
                )
                silence.sample_rate, silence.pts, silence.time_base = 48000, number * 480, Fraction(1, 48000)
                container.mux(voice.encode(silence))
            container.mux(voice.encode())
        for stream, count in zip(streams, (*extra, frames), strict=True):
            for number in sorted({*range(count)} - {*skip}):
                grain = np.random.default_rng(number).integers(0, 40, (64, 128, 3), dtype=np.uint8)
                image = grain + np.repeat(215 * (number >> np.arange(8) & 1), 16)[:, None].astype(np.uint8)
                frame = av.VideoFrame.from_ndarray(image, format="rgb24")
                frame.pts, frame.time_base = round(25 * start) + number, Fraction(1, 25)
                container.mux(stream.encode(frame))
            container.mux(stream.encode())
    return file


def read_number(frame: VideoFrame) -> int:
    """Return the number that `write_film` wrote into a frame."""
    height, width, _ = frame.image.shape
    bits = frame.image[height // 2, np.arange(width // 16, width, width // 8), 1] > 127
    return int(bits @ (1 << np.arange(8)))
