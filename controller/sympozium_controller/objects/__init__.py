"""The objects that users write, as pydantic models: what may live here is fields, and nothing that decides.

Field names are camelCase in files, as users write them; an unknown field is an error. One module per
kind, with its parts; ``units`` reads durations and quantities.
"""

from sympozium_controller.objects.base import API_VERSION as API_VERSION, Metadata as Metadata, Object as Object
from sympozium_controller.objects.instance import (
    Limits as Limits,
    Provider as Provider,
    SkillRef as SkillRef,
    SympoziumInstance as SympoziumInstance,
)
from sympozium_controller.objects.mcpserver import MCPServer as MCPServer
from sympozium_controller.objects.policy import SympoziumPolicy as SympoziumPolicy
from sympozium_controller.objects.run import AgentRun as AgentRun
from sympozium_controller.objects.secret import Secret as Secret
from sympozium_controller.objects.skillpack import DeclaredTool as DeclaredTool, SkillPack as SkillPack
from sympozium_controller.objects.status import (
    Condition as Condition,
    InstanceStatus as InstanceStatus,
    RunStatus as RunStatus,
    Status as Status,
)
from sympozium_controller.objects.team import (
    PersonaPack as PersonaPack,
    SympoziumSchedule as SympoziumSchedule,
)
