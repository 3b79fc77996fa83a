# Every image of ours: `docker buildx bake` builds those of a run, `docker buildx bake all` all of them.
# docs/images.md says how to build without a registry: it sets variables and nothing else.

variable "REGISTRY" { default = "sympozium" }
variable "TAG" { default = "dev" }
variable "BASE" { default = "python:3.13-slim" }
variable "TOOLS_BASE" { default = "debian:trixie-slim" }
variable "PLATFORMS" { default = "" }      # such as linux/amd64,linux/arm64; empty: the builder's own
variable "WHEELS" { default = "" }         # a directory of wheels; empty: they are downloaded
variable "TOOLS" { default = "" }          # an image that has the packs' binaries; empty: it is made from TOOLS_BASE
variable "ATTEST" { default = "" }         # provenance and SBOM, where registry and builder can: ATTEST=1
variable "REVISION" { default = "" }       # the commit, for the label
variable "SOURCE_DATE_EPOCH" { default = "1767225600" }   # the time of every file: the same inputs make the same layers

group "default" { targets = ["agent", "program"] }
group "skills" { targets = ["skill"] }
group "all" { targets = ["default", "skills"] }

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

target "agent" {
  inherits = ["_common"]
  target   = "agent"
  tags     = ["${REGISTRY}/agent:${TAG}"]
  args     = { PACKAGES = "sympozium-runner", COMMAND = "sympozium-agent" }
  labels   = { "org.opencontainers.image.title" = "agent" }
}

target "program" {
  inherits = ["_common"]
  name     = one.name
  matrix = {
    one = [
      { name = "ipc-bridge", packages = "sympozium-bridge", command = "sympozium-bridge" },
      { name = "model", packages = "sympozium-model", command = "sympozium-model" },
      { name = "memory", packages = "sympozium-memory", command = "sympozium-memory" },
      { name = "mcp-bridge", packages = "sympozium-mcp", command = "sympozium-mcp" },
      {
        name     = "web-endpoint"
        packages = "sympozium-web sympozium-runner sympozium-bridge sympozium-model sympozium-memory sympozium-mcp sympozium-skill"
        command  = "sympozium-web"
      },
    ]
  }
  target = "program"
  tags   = ["${REGISTRY}/${one.name}:${TAG}"]
  args   = { PACKAGES = one.packages, COMMAND = one.command }
  labels = { "org.opencontainers.image.title" = one.name }
}

# A pack's sidecar: the same program, and the binaries that the pack declares.
target "skill" {
  inherits = ["_common"]
  name     = "skill-${one.name}"
  matrix = {
    one = [
      {
        name     = "shell"
        binaries = "bash sh cat ls cp mv rm mkdir touch head tail wc sort uniq cut tr df du free ps grep sed awk find xargs env date id uname sleep sha256sum tar gzip jq curl"
      },
      { name = "k8s-ops", binaries = "kubectl curl jq" },
      { name = "helm", binaries = "helm kubectl jq" },
      { name = "llmfit", binaries = "llmfit kubectl jq" },
      { name = "sre-observability", binaries = "curl jq promtool" },
      { name = "github-gitops", binaries = "git /usr/lib/git-core /usr/share/git-core/templates curl jq" },
    ]
  }
  target = "skill"
  tags   = ["${REGISTRY}/skill-${one.name}:${TAG}"]
  args   = { PACKAGES = "sympozium-skill", COMMAND = "sympozium-skill", BINARIES = one.binaries }
  labels = { "org.opencontainers.image.title" = "skill-${one.name}" }
}
