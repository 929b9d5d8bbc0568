"""deploy/ fits the program: every variable is a setting, every command is one; nothing runs as root or unpinned.

Kubernetes' own schemas judge the manifests; `systemd-analyze`, `kubectl` and Compose look at the files too, where they
are installed.
"""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from caretaker.cli import COMMANDS, GROUPS
from caretaker.settings import Settings, load_settings
from domain.ids import is_id

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
UNITS = sorted((DEPLOY / "systemd").glob("*.service"))
MANIFESTS = sorted(path for path in (DEPLOY / "kubernetes").glob("*.yaml") if path.name != "kustomization.yaml")
COMPOSE: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = {name: service for name, service in SERVICES.items() if "caretaker" in service["image"].lower()}
KUBERNETES = "1.34"
EXAMPLES = {"POSTGRES_PASSWORD": "p1", "INFLUXDB_TOKEN": "t1", "INFLUXDB_PASSWORD": "i1"}


def variables() -> set[str]:
    """Every variable that sets something."""
    found = set()
    for name, field in Settings.model_fields.items():
        inner = getattr(field.annotation, "model_fields", None)
        names = [name] if inner is None else [f"{name}__{key}" for key in inner]
        found |= {f"CARETAKER_{one.upper()}" for one in names}
    return found


def objects() -> Iterator[dict[str, Any]]:
    for path in MANIFESTS:
        yield from (one for one in yaml.safe_load_all(path.read_text()) if one)


def of_kind(*kinds: str) -> list[dict[str, Any]]:
    return [one for one in objects() if one["kind"] in kinds]


def containers() -> list[dict[str, Any]]:
    return [
        one for made in of_kind("StatefulSet", "Deployment") for one in made["spec"]["template"]["spec"]["containers"]
    ]


def filled(text: str) -> str:
    """A value of the Compose file with its variables put in as Compose does it."""

    def value(found: re.Match[str]) -> str:
        name, default = found[1], found[2]
        return os.environ.get(name) or EXAMPLES.get(name) or (default or "").removeprefix("-")

    return re.sub(r"\$\{([A-Z_]+):?(-[^}]*)?(?:\?[^}]*)?\}", value, text)


def settings_of(environment: dict[str, str], monkeypatch: pytest.MonkeyPatch, folder: Path) -> Settings:
    """What the program makes of these variables."""
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(folder)
    return load_settings(None)


def test_there_is_something_of_each_kind() -> None:
    assert {"ingest-1", "ingest-2", "web", "notify", "tools"} == set(OURS)
    assert {made["metadata"]["name"] for made in of_kind("StatefulSet", "Deployment")} == {"ingest", "web", "notify"}
    assert {path.name for path in UNITS} == {
        "caretaker.service", "caretaker-broker.service", "caretaker-ingest@.service", "caretaker-web.service",
        "caretaker-notify.service", "caretaker-edge.service",
    }  # fmt: skip


@pytest.mark.parametrize("path", [*DEPLOY.rglob("*.*")], ids=lambda path: path.name)
def test_every_variable_of_ours_is_a_setting(path: Path) -> None:
    named = (
        set(re.findall(r"\bCARETAKER_[A-Z_]+[A-Z]\b", path.read_text(encoding="utf-8"))) if path.is_file() else set()
    )
    assert named - variables() - {"CARETAKER_IMAGE"} == set()


@pytest.mark.parametrize("name", OURS)
def test_the_program_understands_each_service_of_compose(
    name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    service = OURS[name]
    assert service["command"][0] in COMMANDS
    settings = settings_of({key: filled(str(v)) for key, v in service["environment"].items()}, monkeypatch, tmp_path)
    assert settings.broker.url == "mqtts://mosquitto:8883"
    assert settings.stores.operational == "postgresql://caretaker:p1@postgres:5432/caretaker"
    assert settings.stores.series == "http://caretaker:t1@influxdb:8086/caretaker?org=caretaker"


def test_the_ingest_workers_of_compose_have_names_and_passwords_of_their_own() -> None:
    workers = {name: service["environment"] for name, service in OURS.items() if service["command"] == ["ingest"]}
    assert [made["CARETAKER_WORKER"] for made in workers.values()] == list(workers)
    for name, made in workers.items():
        assert made["CARETAKER_BROKER__PASSWORD_FILE"].endswith(f"/credentials/{name}.password")


def test_what_is_asked_of_the_user_is_what_the_page_tells_to_write() -> None:
    text = (DEPLOY / "compose.yaml").read_text()
    page = (DEPLOY / "README.md").read_text()
    for name in set(re.findall(r"\$\{([A-Z_]+):\?", text)):
        assert f"{name}=%s" in page, name
    assert set(re.findall(r"\$\{([A-Z_]+):\?", text)) == set(EXAMPLES)


@pytest.mark.parametrize("name", SERVICES)
def test_every_service_is_pinned_restarted_and_gains_no_rights(name: str) -> None:
    service = SERVICES[name]
    tag = filled(service["image"]).rpartition(":")[2]
    assert re.fullmatch(r"\d+(\.\d+)+", tag), service["image"]
    assert service["restart"] in ("unless-stopped", "no")
    assert service["security_opt"] == ["no-new-privileges:true"]
    if name in OURS:
        assert service["cap_drop"] == ["ALL"]
        assert service["read_only"] is True


def test_volumes_are_declared_and_files_are_there() -> None:
    for service in SERVICES.values():
        for volume in service.get("volumes", []):
            source = filled(volume).partition(":")[0]
            assert source in COMPOSE["volumes"] or (DEPLOY / source).exists(), volume


def test_the_page_listens_to_this_machine_only_because_nobody_signs_in_yet() -> None:
    assert SERVICES["web"]["ports"] == ["127.0.0.1:8420:8420"]
    assert of_kind("Ingress") == []
    assert all(service["spec"].get("type", "ClusterIP") == "ClusterIP" for service in of_kind("Service"))


def compose_program() -> list[str]:
    """Docker's plugin, or Debian 12's Compose 1.29, which is a program of its own."""
    docker, alone = shutil.which("docker"), shutil.which("docker-compose")
    if docker and subprocess.run([docker, "compose", "version"], capture_output=True).returncode == 0:
        return [docker, "compose"]
    if alone is None:
        pytest.skip("no Compose is installed: apt-get install docker-compose")
    return [alone]


def test_compose_itself_understands_the_file(tmp_path: Path) -> None:
    program, text = compose_program(), (DEPLOY / "compose.yaml").read_text()
    if len(program) == 1:
        text = text.replace("name: caretaker\n", "", 1)  # the one word that the older Compose does not know
    (tmp_path / "compose.yaml").write_text(text)
    command = [*program, "--file", str(tmp_path / "compose.yaml"), "--profile", "tools", "config", "--quiet"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, env={**os.environ, **EXAMPLES})
    assert done.returncode == 0, done.stderr


def dockerfile() -> list[list[str]]:
    text = (DEPLOY / "Dockerfile").read_text().replace("\\\n", " ")
    return [line.split(maxsplit=1) for line in text.splitlines() if line and not line.startswith("#")]


def test_the_image_is_built_on_a_pinned_base_and_does_not_run_as_root() -> None:
    lines = dockerfile()
    (base,) = [rest for word, rest in lines if word == "ARG"]
    assert not base.endswith(":latest")
    assert re.search(r":\d", base)
    user = [rest for word, rest in lines if word == "USER"][-1]
    assert user == "1883:1883"
    last = [word for word, _ in lines]
    assert last.index("USER") < last.index("ENTRYPOINT"), "what comes after it is not done as root"
    assert [rest for word, rest in lines if word == "ENTRYPOINT"] == ['["caretaker"]']
    (command,) = [rest for word, rest in lines if word == "CMD"]
    assert yaml.safe_load(command)[0] in COMMANDS


def test_the_image_gets_exactly_what_the_package_is_built_of() -> None:
    allowed = {
        line[1:] for line in (DEPLOY / "Dockerfile.dockerignore").read_text().splitlines() if line.startswith("!")
    }
    packages = {path.parent.name for path in ROOT.glob("*/__init__.py")} - {"tests"}
    assert packages <= allowed
    for name in allowed:
        assert (ROOT / name).exists(), name
    for word, rest in dockerfile():
        if word == "COPY" and not rest.startswith(("--from", ". ")):
            assert rest.split()[0] in allowed


@pytest.mark.parametrize("path", UNITS, ids=lambda path: path.name)
def test_each_unit_runs_a_command_as_nobody_special(path: Path) -> None:
    text = path.read_text()
    (command,) = re.findall(r"^ExecStart=/opt/caretaker/bin/caretaker (\w+) --config (\S+)$", text, re.MULTILINE)
    assert command[0] in COMMANDS
    assert "User=caretaker\n" in text
    for line in ("NoNewPrivileges=yes", "ProtectSystem=strict", "CapabilityBoundingSet=", "Restart=always"):
        assert f"\n{line}\n" in text, line
    assert (command[1] == "/etc/caretaker/edge.toml") == (command[0] == "edge")


def test_systemd_finds_nothing_wrong_with_the_units(tmp_path: Path) -> None:
    program = shutil.which("systemd-analyze")
    if program is None:
        pytest.skip("systemd-analyze is not installed: apt-get install systemd")
    ours = str(Path(sys.executable).parent)
    copies = []
    for path in UNITS:
        copy = tmp_path / path.name.replace("@", "@worker")
        copy.write_text(path.read_text().replace("/opt/caretaker/bin", ours))
        copies.append(str(copy))
    done = subprocess.run([program, "verify", "--man=no", *copies], capture_output=True, text=True, timeout=60)
    # It also speaks of units of the machine itself; only what it says of ours counts.
    said = [line for line in (done.stdout + done.stderr).splitlines() if str(tmp_path) in line or "caretaker" in line]
    assert said == []


def test_manifests_select_what_they_label_and_mount_what_they_declare() -> None:
    labels = []
    for made in of_kind("StatefulSet", "Deployment"):
        template = made["spec"]["template"]
        assert made["spec"]["selector"]["matchLabels"] == template["metadata"]["labels"]
        labels.append(template["metadata"]["labels"])
        declared = {volume["name"] for volume in template["spec"]["volumes"]}
        for container in template["spec"]["containers"]:
            assert {mount["name"] for mount in container["volumeMounts"]} == declared
    for one in of_kind("Service"):
        assert one["spec"]["selector"] in labels
    for one in of_kind("PodDisruptionBudget"):
        assert one["spec"]["selector"]["matchLabels"] in labels


def test_the_manifests_are_what_kubernetes_knows() -> None:
    kubernetes_validate = pytest.importorskip("kubernetes_validate", reason="an environment of before: make test")
    for made in objects():
        kubernetes_validate.validate(made, KUBERNETES, strict=True)
    wrong = {**of_kind("Namespace")[0], "specs": {}}
    with pytest.raises(kubernetes_validate.ValidationError, match="specs"):
        kubernetes_validate.validate(wrong, KUBERNETES, strict=True)


def test_pods_are_not_root_and_gain_no_rights() -> None:
    for made in of_kind("StatefulSet", "Deployment"):
        pod = made["spec"]["template"]["spec"]
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["securityContext"]["runAsUser"] == 1883, "the image's user"
        assert pod["automountServiceAccountToken"] is False
    for container in containers():
        context = container["securityContext"]
        assert context["allowPrivilegeEscalation"] is False
        assert context["readOnlyRootFilesystem"] is True
        assert container["resources"]["limits"]["memory"]


def environment_of(container: dict[str, Any]) -> dict[str, str]:
    """The container's variables, as a cluster with the example secret and a pod `ingest-0` gives them."""
    (shared,) = [one["data"] for one in of_kind("ConfigMap")]
    secrets = {one["metadata"]["name"]: one["stringData"] for one in of_kind("Secret")}
    found = dict(shared) if container.get("envFrom") else {}
    for one in container["env"]:
        source = one.get("valueFrom", {})
        if "secretKeyRef" in source:
            found[one["name"]] = secrets[source["secretKeyRef"]["name"]][source["secretKeyRef"]["key"]]
        elif "fieldRef" in source:
            assert source["fieldRef"]["fieldPath"] == "metadata.name"
            found[one["name"]] = "ingest-0"
        else:
            found[one["name"]] = one["value"].replace("$(CARETAKER_WORKER)", "ingest-0")
    return found


@pytest.mark.parametrize("name", ["ingest", "web", "notify"])
def test_the_program_understands_each_pod(name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (container,) = [one for one in containers() if one["name"] == name]
    assert container["args"] == [name]
    assert container["image"] == "caretaker"
    assert set(environment_of(container)) <= variables()
    settings = settings_of(environment_of(container), monkeypatch, tmp_path)
    assert settings.broker.url.startswith("mqtts://")
    assert settings.stores.operational.startswith("postgresql://")


def test_a_pod_of_ingest_is_named_by_itself_and_finds_its_own_password() -> None:
    (container,) = [one for one in containers() if one["name"] == "ingest"]
    found = environment_of(container)
    assert is_id(found["CARETAKER_WORKER"])
    (broker,) = [one["stringData"] for one in of_kind("Secret") if one["metadata"]["name"] == "caretaker-broker"]
    (ingest,) = of_kind("StatefulSet")
    replicas = ingest["spec"]["replicas"]
    assert {f"ingest-{number}.password" for number in range(replicas)} | {"ca.crt"} == set(broker)
    folder = next(mount["mountPath"] for mount in container["volumeMounts"] if mount["name"] == "broker")
    assert found["CARETAKER_BROKER__PASSWORD_FILE"] == f"{folder}/ingest-0.password"
    assert found["CARETAKER_BROKER__CA_FILE"] == f"{folder}/ca.crt"


def test_the_page_is_probed_and_stays_within_reach_when_it_is_not_ready() -> None:
    (web,) = [one for one in containers() if one["name"] == "web"]
    assert web["livenessProbe"]["httpGet"]["path"] == "/health/live"
    assert web["readinessProbe"]["httpGet"]["path"] == "/health/ready"
    assert web["ports"][0]["containerPort"] == Settings.model_fields["web"].default.port
    (service,) = [one for one in of_kind("Service") if one["metadata"]["name"] == "web"]
    assert service["spec"]["publishNotReadyAddresses"] is True


def test_secrets_are_examples_only_and_not_part_of_what_is_applied() -> None:
    kustomization = yaml.safe_load((DEPLOY / "kubernetes" / "kustomization.yaml").read_text())
    assert sorted([*kustomization["resources"], "secret.example.yaml"]) == [path.name for path in MANIFESTS]
    for secret in of_kind("Secret"):
        assert all("PASSWORD" in v or "TOKEN" in v or v == "PEM" for v in secret["stringData"].values())
    assert all(re.fullmatch(r"\d+(\.\d+)+", str(image["newTag"])) for image in kustomization["images"])


def test_kubectl_builds_the_manifests() -> None:
    kubectl = shutil.which("kubectl")
    if kubectl is None:
        pytest.skip("kubectl is not installed")
    command = [kubectl, "kustomize", str(DEPLOY / "kubernetes")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    made = [one for one in yaml.safe_load_all(done.stdout) if one]
    assert {one["metadata"].get("namespace", "caretaker") for one in made} == {"caretaker"}
    assert len(made) == len(list(objects())) - len(of_kind("Secret"))


@pytest.mark.parametrize("line", [
    line for line in (DEPLOY / "README.md").read_text().splitlines() if " tools " in line or "-- caretaker " in line
])  # fmt: skip
def test_the_commands_of_the_page_exist(line: str) -> None:
    found = re.search(r"(?:run --rm tools|-- caretaker) ([a-z-]+)", line)
    if found is not None:
        assert found[1] in {*COMMANDS, *GROUPS}, line
