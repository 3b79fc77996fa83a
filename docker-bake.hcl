# Every image of ours: `docker buildx bake` builds those of a run, `docker buildx bake all` all of them.
# docs/images.md says how to build without a registry: it sets variables and nothing else.

variable "REGISTRY" { default = "sympozium" }
variable "TAG" { default = "dev" }
variable "BASE" { default = "python:3.13-slim" }
variable "TOOLS_BASE" { default = "debian:trixie-slim" }   # of the same release as BASE: they share a C library
variable "HELM" { default = "3.19.0" }
variable "NATS" { default = "2.15.1" }
variable "LLMFIT" { default = "1.1.17" }
variable "PLATFORMS" { default = "" }      # such as linux/amd64,linux/arm64; empty: the builder's own
variable "WHEELS" { default = "" }         # a directory of wheels; empty: they are downloaded
variable "TOOLS" { default = "" }          # an image that has the packs' binaries; empty: it is made from TOOLS_BASE
variable "ATTEST" { default = "" }         # provenance and SBOM, where registry and builder can: ATTEST=1
variable "REVISION" { default = "" }       # the commit, for the label
variable "SOURCE_DATE_EPOCH" { default = "1767225600" }   # the time of every file: the same inputs make the same layers

group "default" { targets = ["agent", "program"] }
group "skills" { targets = ["skill"] }
group "all" { targets = ["default", "skills", "nats"] }

target "_common" {
  context    = "."
  dockerfile = "images/Dockerfile"
  platforms  = PLATFORMS == "" ? [] : split(",", PLATFORMS)
  contexts = merge(
    WHEELS == "" ? {} : { wheels = WHEELS },
    TOOLS == "" ? {} : { tools = "docker-image://${TOOLS}" },
  )
  args = {
    BASE              = BASE
    TOOLS_BASE        = TOOLS_BASE
    HELM              = HELM
    LLMFIT            = LLMFIT
    NATS              = NATS
    SOURCE_DATE_EPOCH = SOURCE_DATE_EPOCH
  }
  attest = ATTEST == "" ? [] : ["type=provenance,mode=max", "type=sbom"]
  labels = {
    "org.opencontainers.image.vendor"   = "Sympozium"
    "org.opencontainers.image.licenses" = "Apache-2.0"
    "org.opencontainers.image.version"  = TAG
    "org.opencontainers.image.revision" = REVISION
  }
}

# What is in each: images/programs.toml.
target "agent" {
  inherits = ["_common"]
  target   = "agent"
  tags     = ["${REGISTRY}/agent:${TAG}"]
  args     = { PROGRAM = "agent" }
  labels   = { "org.opencontainers.image.title" = "agent" }
}

target "program" {
  inherits = ["_common"]
  name     = program
  matrix   = { program = ["ipc-bridge", "model", "memory", "bus-auth", "controller", "mcp-bridge", "web-endpoint"] }
  target   = "program"
  tags     = ["${REGISTRY}/${program}:${TAG}"]
  args     = { PROGRAM = program }
  labels   = { "org.opencontainers.image.title" = program }
}

# A pack's sidecar: the same program, and what the pack calls. `sh` is the skill program's own (it leads every group of
# processes), bash runs the lines of a pack that declares `commands`; which programs a line may name is another matter.
target "skill" {
  inherits = ["_common"]
  name     = "skill-${one.name}"
  matrix = {
    one = [
      {
        name = "shell" # coreutils, findutils, procps, and what people expect beside them
        binaries = join(" ", [
          "bash sh [ b2sum base64 basename cat chmod cksum comm cp csplit cut date dd df dirname du echo env expand expr",
          "false fmt fold head id install join ln ls md5sum mkdir mkfifo mktemp mv nl nproc od paste printenv printf pwd",
          "readlink realpath rm rmdir seq sha1sum sha256sum sha512sum shuf sleep sort split stat sum sync tac tail tee",
          "test timeout touch tr true truncate tsort uname unexpand uniq wc whoami yes find xargs free pgrep pkill ps",
          "top uptime vmstat grep sed awk tar gzip gunzip zcat jq curl",
        ])
      },
      { name = "k8s-ops", binaries = "bash sh kubectl curl jq" },
      { name = "helm", binaries = "bash sh helm kubectl jq" },
      { name = "llmfit", binaries = "bash sh llmfit kubectl jq" },
      { name = "sre-observability", binaries = "bash sh curl jq kubectl" },
      {
        name     = "github-gitops" # git starts itself and a helper for HTTP; a template directory spares a warning
        binaries = "sh git /usr/lib/git-core/git /usr/lib/git-core/git-remote-https /usr/share/git-core/templates/description curl jq"
      },
    ]
  }
  target = "skill"
  tags   = ["${REGISTRY}/skill-${one.name}:${TAG}"]
  args   = { PROGRAM = "skill", BINARIES = one.binaries }
  labels = { "org.opencontainers.image.title" = "skill-${one.name}" }
}

# The bus: nothing of Python, and a configuration of ours.
target "nats" {
  inherits = ["_common"]
  target   = "nats"
  tags     = ["${REGISTRY}/nats:${TAG}"]
  labels   = { "org.opencontainers.image.title" = "nats" }
}

# One of your own: SKILL=skill-disks BINARIES="df du" docker buildx bake own-skill
variable "SKILL" { default = "skill-own" }
variable "BINARIES" { default = "" }
target "own-skill" {
  inherits = ["_common"]
  target   = "skill"
  tags     = ["${REGISTRY}/${SKILL}:${TAG}"]
  args     = { PROGRAM = "skill", BINARIES = "sh bash ${BINARIES}" }
  labels   = { "org.opencontainers.image.title" = SKILL }
}
