"""Renders the clips that stand in for generated videos: a development tool, run by hand.

    python -m orchestrator.sandbox.render_clips

Needs `ffmpeg` on the PATH. Writes one H.264 MP4 of two seconds for each shape in
`media.SHAPES` into `clips/`, a few KB each, with the index in front (fast start).
"""

from __future__ import annotations

import subprocess

from orchestrator.sandbox.media import CLIPS, SHAPES

#: Frames a second, and length in seconds.
RATE, LENGTH = 12, 2

#: A slow dawn: every shape shows the same drift of four colours.
GRADIENT = "gradients=s={size}:c0=0x1b2a49:c1=0xe07a5f:c2=0xf2cc8f:c3=0x3d5a80:n=4:speed=0.02"


def command(size: str, target: str) -> list[str]:
    """The ffmpeg call for one clip of `size` (`320x180`), without anything that varies by day."""
    source = f"{GRADIENT.format(size=size)}:seed=7:r={RATE}:d={LENGTH}"
    return [
        "ffmpeg", "-v", "error", "-y", "-f", "lavfi", "-i", source, "-an",
        "-c:v", "libx264", "-preset", "veryslow", "-crf", "30", "-pix_fmt", "yuv420p",
        "-threads", "1", "-movflags", "+faststart", "-fflags", "+bitexact", "-flags:v", "+bitexact",
        "-map_metadata", "-1", target,
    ]  # fmt: skip


def render() -> None:
    """Write all clips. Raises CalledProcessError where ffmpeg fails."""
    CLIPS.mkdir(exist_ok=True)
    for shape, size in SHAPES.items():
        target = CLIPS / f"{shape.replace(':', 'x')}.mp4"
        subprocess.run(command(size, str(target)), check=True)  # noqa: S603


if __name__ == "__main__":
    render()
