"""The sidecar's life: read the pack, end what a former life left, serve its tools."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from sympozium_protocol.exits import Ended, Reason
from sympozium_protocol.participant import serve
from sympozium_protocol.participant.context import Former
from sympozium_protocol.process import Settings, open_run
from sympozium_skill.children import Children
from sympozium_skill.kubeconfig import with_kubeconfig
from sympozium_skill.pack import Sidecar, pack_of, read_pack
from sympozium_skill.place import environment, link_programs
from sympozium_skill.recover import end_former
from sympozium_skill.tools import Shop, handlers


async def serve_skill(settings: Settings, pack_directory: Path) -> None:
    """Serve the pack until cancelled. Raises Ended (InvalidPack, InvalidRun) and FileFault."""
    files = read_pack(pack_directory)
    _, spec = open_run(settings)
    pack = pack_of(files, pack_directory, spec.packs.get(settings.participant))
    if pack.sidecar is None or (pack.sidecar.commands is None and not pack.sidecar.tools):
        raise Ended(Reason.InvalidPack, f"{pack_directory}/pack.yaml: sidecar: has neither commands nor tools")

    def recover(former: Former) -> None:
        end_former(former.started, f"{spec.run}/{settings.participant}/{former.started.id}")

    with tempfile.TemporaryDirectory(prefix="sympozium-skill-") as private:
        shop = _shop(pack.sidecar, settings, Path(private))
        await serve(handlers(pack.sidecar, shop), settings=settings, recover=recover)


def _shop(sidecar: Sidecar, settings: Settings, private: Path) -> Shop:
    own_path = os.environ.get("PATH", os.defpath)
    path = private / "programs"
    path.mkdir()
    programs = link_programs(sidecar.commands or (), path, own_path)
    return Shop(
        workspace=settings.workspace,
        environment=environment(with_kubeconfig(os.environ, private), str(path) if sidecar.commands else own_path),
        own_path=own_path,
        programs=programs,
        children=Children(),
    )
