"""`omote app`: omote in a browser, on this machine."""

from pathlib import Path
from typing import Annotated, Any

import typer

from omote.cli.display import say
from omote.cli.inputs import OptionalRunArgument, number
from omote.runs.shipped import SHIPPED


def app(
    run: OptionalRunArgument = Path(SHIPPED),
    port: Annotated[int, number("Port to listen at; 0 for a free one.", least=0, most=65535)] = 7860,
    host: Annotated[
        str,
        typer.Option(
            help="Address to listen at. With another one than this, other machines can open the page, and it needs a "
            "token."
        ),
    ] = "127.0.0.1",
    token: Annotated[
        str | None,
        typer.Option(
            help="Token that the page asks for. Default: a new one, where other machines can open the page."
        ),
    ] = None,
) -> dict[str, Any]:
    """Open omote in a browser: videos with their timelines, a webcam, faces, and runs. Needs the extra `app`.

    The page is served from this machine, and only this machine can open it. Nothing is sent or loaded from elsewhere.
    What is uploaded lies in a folder that is deleted when the command ends, by Ctrl-C.
    """
    from omote.app.serve import serve

    serve(
        str(run),
        host=host,
        port=port,
        token=token,
        tell=lambda address: say(
            f"Open {address} in a browser. Ctrl-C ends the app and deletes what was uploaded."
        ),
    )
    return {"ended": True}
