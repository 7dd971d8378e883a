#!/usr/bin/env python3
"""Eight Kafka Connect clients from PyPI against a real host: which endpoint works for which client.

    tests/clients/run.py [--program target/debug/linkspan] [--packages DIR]

Each client lies in a directory of its own (two of them bring a package of the same name), what they need in another one.
Without --packages they are installed into a temporary directory with pip. Prints a table endpoint x client; ends with 0 when
nothing failed, 1 when something did, 77 (a skip) when pip cannot install them.
"""

import argparse
import json
import os
import pathlib
import re
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request

CLIENTS = {
    "kafka-connect-py": "1.0.0",
    "kafka-connect-api": "0.5.10",
    "kafkaconnect": "1.3.1",
    "kafka-connect-cli": "0.2.5",
    "connectorctl": "0.1.0",
    "kafka-connect-healthcheck": "0.3.0",
    "kafka-connect-manager": "0.5.1",
    "kafka-connect-python-helper": "0.0.7",
}
NEEDED = ["requests", "click==8.1.7", "httpx<0.24", "typer<0.10", "rich", "tabulate", "python-dotenv", "setuptools<81"]
# kafkaconnect imports this for commands that ask Kafka itself; those it has for Connect do not use it.
STANDS_IN = {"confluent_kafka/__init__.py": "", "confluent_kafka/admin.py": "AdminClient = None\n"}

SOURCE = {"connector.class": "FileStreamSource", "tasks.max": "1", "topic": "lines"}
# Every driver has `url`, `config(name)` and `step(endpoint, function)`; a function that raises or returns False failed.
HEAD = """
import json, os, subprocess, sys, time
url, folder = sys.argv[1], sys.argv[2]
def config(name):
    file = os.path.join(folder, name + ".txt")
    open(file, "w").write("one\\ntwo\\n")
    return {**json.loads(sys.argv[3]), "name": name, "file": file}
def step(endpoint, function):
    try:
        result = function()
        word = "no" if result is False else "ok"
    except BaseException as error:
        word = (type(error).__name__ + ": " + str(error)).replace("\\n", " ")[:160]
    print("STEP\\t" + endpoint + "\\t" + word, flush=True)
def command(*words, expect=0, says=""):
    done = subprocess.run([sys.executable, *words], capture_output=True, text=True, timeout=60)
    assert done.returncode == expect, (done.returncode, done.stdout[-200:], done.stderr[-200:])
    assert says in done.stdout + done.stderr, (says, done.stdout[-200:], done.stderr[-200:])
def until(function, within=20):
    end = time.time() + within
    while not function():
        assert time.time() < end, "it does not become so"
        time.sleep(0.2)
    return True
def soon(function, within=20):
    # A connector whose configuration was put anew has no tasks for a moment.
    end = time.time() + within
    while True:
        try:
            return function()
        except Exception:
            if time.time() > end:
                raise
        time.sleep(0.2)
"""
DRIVERS = {
    "kafka-connect-py": """
from kafka_connect.kafka_connect import KafkaConnect
kc, name = KafkaConnect(url), "py"
step("GET /", lambda: "version" in kc.get_cluster_info())
step("POST /connectors", lambda: kc.create_connector({"name": name, "config": {**config(name), "tasks.max": 1}})["name"] == name)
step("GET /connectors", lambda: name in kc.list_connectors())
step("GET /connectors?expand", lambda: name in kc.list_connectors(expand="status") and name in kc.list_connectors(expand="info"))
step("GET /connectors/NAME", lambda: kc.get_connector(name)["type"] == "source")
step("GET /connectors/NAME/config", lambda: kc.get_connector_config(name)["topic"] == "lines")
step("GET /connectors/NAME/status", lambda: until(lambda: kc.get_connector_status(name)["connector"]["state"] == "RUNNING"))
step("PUT /connectors/NAME/config", lambda: kc.update_connector(name, {**config(name), "tasks.max": 1})["name"] == name)
step("GET /connectors/NAME/tasks", lambda: until(lambda: len(kc.list_connector_tasks(name)) == 1))
step("GET .../tasks/N/status", lambda: soon(lambda: kc.get_connector_task_status(name, 0))["id"] == 0)
step("POST .../tasks/N/restart", lambda: soon(lambda: kc.restart_connector_task(name, 0)) is not False)
step("POST /connectors/NAME/restart", lambda: kc.restart_connector(name, include_tasks=True) is not False)
step("PUT /connectors/NAME/pause", lambda: kc.pause_connector(name) is not False)
step("PUT /connectors/NAME/resume", lambda: kc.resume_connector(name) is not False)
step("PUT /connectors/NAME/stop", lambda: kc.stop_connector(name) is not False)
step("GET /connectors/NAME/topics", lambda: name in kc.list_connector_topics(name))
step("PUT /connectors/NAME/topics/reset", lambda: kc.reset_connector_topics(name) is not False)
step("GET /connector-plugins", lambda: len(kc.list_connector_plugins()) > 1)
step("PUT .../config/validate", lambda: kc.validate_connector_config("FileStreamSource", config(name))["error_count"] == 0)
step("DELETE /connectors/NAME", lambda: kc.delete_connector(name) is not False)
""",
    "kafka-connect-api": """
from urllib.parse import urlparse
from kafka_connect_api.kafka_connect_api import Api, Cluster, Connector
at = urlparse(url)
api = Api(at.hostname, at.port)
cluster, name = Cluster(api), "api"
step("GET /", lambda: bool(cluster.version) and bool(cluster.kafka_cluster))
step("POST /connectors", lambda: api.post("/connectors/", json={"name": name, "config": config(name)})["name"] == name)
step("GET /connectors", lambda: name in cluster.connectors)
one = Connector(cluster, name)
step("GET /connectors/NAME", lambda: one.exists())
step("GET /connectors/NAME/config", lambda: one.config["topic"] == "lines")
step("GET /connectors/NAME/status", lambda: until(lambda: one.state == "RUNNING"))
def set_config(): one.config = config(name)
step("PUT /connectors/NAME/config", set_config)
step("GET /connectors/NAME/tasks", lambda: until(lambda: len(list(one.tasks)) == 1))
step("POST /connectors/NAME/restart", one.restart)
step("PUT /connectors/NAME/pause", one.pause)
step("PUT /connectors/NAME/resume", one.resume)
step("GET /admin/loggers", lambda: "root" in cluster.loggers)
def set_level(): cluster.root_logger = "WARN"
step("PUT /admin/loggers/root", set_level)
step("DELETE /connectors/NAME", one.delete)
""",
    "kafkaconnect": """
from kafkaconnect.connect import Connect
kc, name = Connect(url), "lsst"
text = lambda value: json.loads(value)
step("PUT /connectors/NAME/config", lambda: text(kc.create_or_update(name, json.dumps(config(name))))["name"] == name)
step("GET /connectors", lambda: name in kc.list())
step("GET /connectors/NAME", lambda: text(kc.info(name))["type"] == "source")
step("GET /connectors/NAME/config", lambda: text(kc.config(name))["topic"] == "lines")
step("GET /connectors/NAME/status", lambda: until(lambda: text(kc.status(name))["connector"]["state"] == "RUNNING"))
step("GET /connectors/NAME/tasks", lambda: until(lambda: len(text(kc.tasks(name))) == 1))
step("GET /connectors/NAME/topics", lambda: name in text(kc.topics(name)))
step("GET /connector-plugins", lambda: len(text(kc.plugins())) > 1)
step("PUT .../config/validate", lambda: text(kc.validate("FileStreamSource", json.dumps(config(name))))["error_count"] == 0)
step("POST /connectors/NAME/restart", lambda: kc.restart(name) is not False)
step("PUT /connectors/NAME/pause", lambda: kc.pause(name) is not False)
step("PUT /connectors/NAME/resume", lambda: kc.resume(name) is not False)
step("DELETE /connectors/NAME", lambda: kc.remove(name) is not False)
""",
    "kafka-connect-cli": """
from kafka_connect import kafka_connect as kc
name = "cli"
step("POST /connectors", lambda: kc.create_connector(url, name, config(name)))
step("GET /connectors", lambda: any(name in str(one) for one in kc.list_connectors(url)))
step("GET /connectors/NAME/status", lambda: until(lambda: "RUNNING" in str(kc.get_connector(url, name))))
step("GET /connectors/NAME/config", lambda: "lines" in str(kc.get_connector_config(url, name)))
step("PUT /connectors/NAME/config", lambda: kc.update_connector(url, name, config(name)))
step("GET /connectors/NAME/tasks", lambda: until(lambda: len(list(kc.list_connector_tasks(url, name))) == 1))
step("POST .../tasks/N/restart", lambda: soon(lambda: kc.restart_connector_task(url, name, 0)))
step("POST /connectors/NAME/restart", lambda: kc.restart_connector(url, name))
step("PUT /connectors/NAME/pause", lambda: kc.pause_connector(url, name))
step("PUT /connectors/NAME/resume", lambda: kc.resume_connector(url, name))
step("DELETE /connectors/NAME", lambda: kc.delete_connector(url, name))
""",
    "connectorctl": """
from urllib.parse import urlparse
import requests
at, name = urlparse(url), "ctl"
# It sends a user always, and reads a stored environment.
home = os.environ["HOME"] + "/.connector_cli"
os.makedirs(home, exist_ok=True)
here = {"user": None, "password": None, "cacert": None, "key": None, "cer": None, "server": at.hostname, "port": at.port}
json.dump({"current_context": "here", "environments": {"here": here}}, open(home + "/config.json", "w"))
requests.post(url + "/connectors", json={"name": name, "config": config(name)}).raise_for_status()
ctl = lambda *words, says="": command("-c", "import sys; from connectorctl.cli import main; sys.exit(main())", *words, says=says)
step("GET /connectors", lambda: ctl("list", says=name))
step("GET /connectors/NAME", lambda: ctl("get", name, says="FileStreamSource"))
step("GET /connectors/NAME/status", lambda: ctl("status", name, says="RUNNING"))
step("PUT /connectors/NAME/pause", lambda: ctl("pause", name))
step("PUT /connectors/NAME/resume", lambda: ctl("resume", name))
step("POST /connectors/NAME/restart", lambda: ctl("restart", name))
step("DELETE /connectors/NAME", lambda: ctl("delete", name))
""",
    "kafka-connect-healthcheck": """
import requests
from kafka_connect_healthcheck.health import Health
name = "health"
requests.post(url + "/connectors", json={"name": name, "config": config(name)}).raise_for_status()
health = Health(url, "", ["FAILED"], "", 0, ["connector", "task"])
step("GET /connectors", lambda: name in health.get_connector_names())
step("GET /connectors/NAME", lambda: bool(health.get_connector_details(name)))
step("GET /connectors/NAME/status", lambda: health.get_health_result()["healthy"] is True)
""",
    "kafka-connect-manager": """
import asyncio
from kafka_connect_manager import main as kcm
name = "manager"
call = lambda coroutine: asyncio.run(coroutine)
step("POST /connectors", lambda: call(kcm._register_connector(url, {"name": name, "config": config(name)}))["name"] == name)
step("GET /connectors", lambda: name in call(kcm._get_active_connectors(url)))
step("GET /connectors/NAME", lambda: call(kcm._get_connector_details(url, name))["config"]["connector.class"] == "FileStreamSource")
step("GET /connectors/NAME/status", lambda: until(lambda: call(kcm._get_connector_status(url, name))["connector"]["state"] == "RUNNING"))
step("PUT /connectors/NAME/config", lambda: call(kcm._update_connector(url, name, config(name)))["name"] == name)
""",
    "kafka-connect-python-helper": """
import requests
from connect_helper import ConnectHelper
name = "helper"
helper = ConnectHelper(requests.Session(), url)
helper.connector.name = name
step("PUT /connectors/NAME/config", lambda: helper.connector.put(config(name)).status_code == 201)
step("GET /connectors", lambda: name in helper.get_connectors().json())
step("GET /connectors/NAME", lambda: helper.connector.get_remote_config().json()["name"] == name)
step("GET /connectors/NAME/status", lambda: helper.connector.poll_status(initial_sleep_seconds=0, backoff_seconds=1))
step("DELETE /connectors/NAME", lambda: helper.connector.delete().status_code == 204)
""",
}


def install(folder):
    pip = [sys.executable, "-m", "pip", "install", "-q", "--disable-pip-version-check", "--root-user-action", "ignore", "--target"]
    subprocess.run([*pip, str(folder / "needed"), *NEEDED], check=True)
    for name, version in CLIENTS.items():
        subprocess.run([*pip, str(folder / name), "--no-deps", f"{name}=={version}"], check=True)


def start(program, folder):
    said = folder / "stderr"
    child = subprocess.Popen(
        [program, "run", "--data", str(folder / "data"), "--listen", "127.0.0.1:0"],
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=said.open("w"),
    )
    end = time.time() + 60
    while time.time() < end:
        found = re.search(r"REST on (http://\S+)", said.read_text())
        if found:
            try:
                urllib.request.urlopen(found[1] + "/readyz", timeout=5).read()
                return child, found[1]
            except OSError:
                pass
        time.sleep(0.1)
    child.kill()
    sys.exit(f"the host does not start: {said.read_text()}")


def drive(client, packages, url, folder):
    home = folder / "home" / client
    home.mkdir(parents=True)
    env = {**os.environ, "PYTHONPATH": f"{packages / client}:{packages / 'needed'}:{folder / 'stand-in'}", "HOME": str(home)}
    script = HEAD + DRIVERS[client]
    words = [sys.executable, "-c", script, url, str(folder), json.dumps(SOURCE)]
    done = subprocess.run(words, env=env, capture_output=True, text=True, timeout=180)
    steps = [line.split("\t")[1:] for line in done.stdout.splitlines() if line.startswith("STEP\t")]
    if done.returncode:
        steps.append(["(the client itself)", done.stderr.strip().splitlines()[-1][:160]])
    return dict(steps)


def table(results):
    endpoints = list(dict.fromkeys(endpoint for steps in results.values() for endpoint in steps))
    width = max(map(len, endpoints))
    for number, client in enumerate(results, 1):
        print(f"{number} = {client} {CLIENTS[client]}")
    print(" " * width, *(f"{number:>4}" for number in range(1, len(results) + 1)))
    for endpoint in endpoints:
        marks = [steps.get(endpoint, "-") for steps in results.values()]
        print(endpoint.ljust(width), *(f"{mark if mark in ('ok', '-') else 'FAIL':>4}" for mark in marks))
    failures = [(client, endpoint, why) for client, steps in results.items() for endpoint, why in steps.items() if why != "ok"]
    print(f"{sum(len(steps) for steps in results.values())} steps, {len(failures)} failed")
    for client, endpoint, why in failures:
        print(f"  {client}: {endpoint}: {why}")
    return failures


def main():
    root = pathlib.Path(__file__).resolve().parents[2]
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--program", default=str(root / "target/debug/linkspan"))
    parser.add_argument("--packages", type=pathlib.Path, help="where the clients are installed, each in its own folder")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        packages = args.packages or folder / "packages"
        if not args.packages:
            try:
                install(packages)
            except subprocess.CalledProcessError as error:
                print(f"SKIPPED PyPI clients: pip: {error}")
                return 77
        for file, text in STANDS_IN.items():
            path = folder / "stand-in" / file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        child, url = start(args.program, folder)
        try:
            results = {client: drive(client, packages, url, folder) for client in CLIENTS}
        finally:
            child.send_signal(signal.SIGTERM)
            child.wait(60)
        return 1 if table(results) else 0


if __name__ == "__main__":
    sys.exit(main())
