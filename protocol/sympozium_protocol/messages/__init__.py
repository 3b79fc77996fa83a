"""Every kind of document in /ipc. One module per stage of a run; this page only gathers the names."""

from sympozium_protocol.messages.base import (
    Document as Document,
    Effect as Effect,
    InvalidDocument as InvalidDocument,
    JsonObject as JsonObject,
    Wire as Wire,
)
from sympozium_protocol.messages.calls import (
    AskedTool as AskedTool,
    BlobPart as BlobPart,
    Call as Call,
    Completion as Completion,
    Failure as Failure,
    Manifest as Manifest,
    Outcome as Outcome,
    Part as Part,
    Question as Question,
    Reply as Reply,
    Reservation as Reservation,
    Started as Started,
    TextPart as TextPart,
    Tool as Tool,
    Usage as Usage,
    Verdict as Verdict,
)
from sympozium_protocol.messages.console import (
    Answer as Answer,
    Cancel as Cancel,
    ConsoleDocument as ConsoleDocument,
    FollowUp as FollowUp,
    Inbound as Inbound,
    decode_console as decode_console,
)
from sympozium_protocol.messages.result import Durable as Durable, RunResult as RunResult, RunUsage as RunUsage
from sympozium_protocol.messages.script import Script as Script, ScriptCall as ScriptCall, ScriptStep as ScriptStep
from sympozium_protocol.messages.servers import OAuthSpec as OAuthSpec, ServerSpec as ServerSpec
from sympozium_protocol.messages.spec import (
    ApprovalSpec as ApprovalSpec,
    Continues as Continues,
    LimitSpec as LimitSpec,
    ModelSpec as ModelSpec,
    NativeSpec as NativeSpec,
    ParticipantSpec as ParticipantSpec,
    PolicySpec as PolicySpec,
    PreludeCall as PreludeCall,
    Prices as Prices,
    RunSpec as RunSpec,
    ToolSpec as ToolSpec,
)
from sympozium_protocol.messages.termination import Termination as Termination
from sympozium_protocol.messages.transcript import (
    AssistantMessage as AssistantMessage,
    CompactionMessage as CompactionMessage,
    InboundMessage as InboundMessage,
    Message as Message,
    NoteMessage as NoteMessage,
    OfferedTool as OfferedTool,
    RecollectionMessage as RecollectionMessage,
    SystemMessage as SystemMessage,
    ToolCall as ToolCall,
    ToolMessage as ToolMessage,
    ToolsMessage as ToolsMessage,
    UserMessage as UserMessage,
    decode_message as decode_message,
)
