"""The participant's half of a call: ``serve`` is all that a Python participant needs.

::

    async def add(call: Call, context: Context) -> Result:
        return Result.text(str(call.arguments["a"] + call.arguments["b"]))

    tool = Handler(Tool(name="add", description="a + b", parameters={...}), add)
    raise SystemExit(run(lambda: serve([tool])))

``serve`` publishes the manifest, touches ``alive``, waits for verdicts, reads each Call once,
compares digests, checks the arguments, writes ``started``, heeds ``withdrawn`` and the timeout,
writes the Reply, and after a restart deals with what its former life left unanswered.
"""

from sympozium_protocol.participant.context import (
    Context as Context,
    Handler as Handler,
    Lost as Lost,
    Offer as Offer,
    Result as Result,
)
from sympozium_protocol.participant.desk import Desk as Desk
from sympozium_protocol.participant.serve import serve as serve
