"""The kinds of SageMaker resources that the sweep finds and removes, in the order of their removal.

Jobs, warm pools, notebooks, Studio apps and tracking servers are listed whoever made them, because they cost money.
Models, endpoint configurations and schedules cost nothing themselves: only ours are listed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from tuppence.aws.findings import Cost, Finding, Kind, Place, machine_cost, machines_cost, storage_cost
from tuppence.aws.tags import PREFIX
from tuppence.storage import AwsError

GB = 1e9
RUNNING = ("InProgress", "Stopping")
DEFAULT_NOTEBOOK_GB = 5
"""Volume of a notebook whose size is not told."""


def _jobs(kind: str, word: str, describe: Callable[[Mapping[str, Any]], list[Mapping[str, Any]]]) -> Kind:
    """A kind of job: listed while it runs, and removed by stopping it."""
    snake = word.replace("-", "_")

    def find(place: Place) -> Iterator[Finding]:
        for status in RUNNING:
            for row in place.rows("sagemaker", f"list_{snake}s", f"{kind}Summaries", StatusEquals=status):
                name = str(row[f"{kind}Name"])
                facts = _described(place, f"describe_{snake}", **{f"{kind}Name": name})
                if facts is not None:
                    cost = machines_cost(describe(facts), "training", place.region)
                    yield place.finding(word, name, row[f"{kind}Arn"], status, cost)

    def remove(place: Place, found: Finding) -> str:
        if found.status == "Stopping":
            return "waiting: stopping"
        getattr(place.client("sagemaker"), f"stop_{snake}")(**{f"{kind}Name": found.name})
        return "stopping"

    return Kind(word, find, remove)


def _training_machines(facts: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    resources = facts.get("ResourceConfig", {})
    return list(resources.get("InstanceGroups") or [resources])


def _find_tuning(place: Place) -> Iterator[Finding]:
    for status in RUNNING:
        key = "HyperParameterTuningJobSummaries"
        for row in place.rows("sagemaker", "list_hyper_parameter_tuning_jobs", key, StatusEquals=status):
            cost = Cost(0.0, "starts training jobs, which are listed apart")
            name, arn = row["HyperParameterTuningJobName"], row["HyperParameterTuningJobArn"]
            yield place.finding("tuning-job", name, arn, status, cost)


def _remove_tuning(place: Place, found: Finding) -> str:
    if found.status == "Stopping":
        return "waiting: stopping"
    place.client("sagemaker").stop_hyper_parameter_tuning_job(HyperParameterTuningJobName=found.name)
    return "stopping"


def _find_warm_pools(place: Place) -> Iterator[Finding]:
    rows = place.rows("sagemaker", "list_training_jobs", "TrainingJobSummaries", WarmPoolStatusEquals="Available")
    for row in rows:
        facts = _described(place, "describe_training_job", TrainingJobName=row["TrainingJobName"])
        if facts is not None:
            cost = machines_cost(_training_machines(facts), "training", place.region)
            yield place.finding("warm-pool", row["TrainingJobName"], row["TrainingJobArn"], "Available", cost)


def _remove_warm_pool(place: Place, found: Finding) -> str:
    place.client("sagemaker").update_training_job(
        TrainingJobName=found.name, ResourceConfig={"KeepAlivePeriodInSeconds": 0}
    )
    return "ending"


def _find_components(place: Place) -> Iterator[Finding]:
    cost = Cost(0.0, "runs on the machines of its endpoint")
    for row in place.rows("sagemaker", "list_inference_components", "InferenceComponents"):
        name, arn, status = (row[f"InferenceComponent{part}"] for part in ("Name", "Arn", "Status"))
        yield place.finding("inference-component", name, arn, status, cost)


def _find_endpoints(place: Place) -> Iterator[Finding]:
    for row in place.rows("sagemaker", "list_endpoints", "Endpoints"):
        name = str(row["EndpointName"])
        facts = _described(place, "describe_endpoint", EndpointName=name)
        if facts is not None:
            cost = _endpoint_cost(facts, place)
            yield place.finding("endpoint", name, row["EndpointArn"], facts["EndpointStatus"], cost)


def _endpoint_cost(facts: Mapping[str, Any], place: Place) -> Cost:
    if facts["EndpointStatus"] == "Deleting":
        return Cost(0.0, "is being deleted")
    config = _described(place, "describe_endpoint_config", EndpointConfigName=facts["EndpointConfigName"])
    if config is None:
        return Cost(None, "its configuration was deleted, so its machines are not known")
    running = {one["VariantName"]: one.get("CurrentInstanceCount") for one in facts.get("ProductionVariants", ())}
    total = Cost(0.0, "")
    for variant in config.get("ProductionVariants", ()):
        serverless = variant.get("ServerlessConfig")
        if serverless:
            reserved = serverless.get("ProvisionedConcurrency")
            cost = (
                Cost(None, "provisioned concurrency, whose price is not known")
                if reserved
                else Cost(0.0, "serverless: costs while it answers")
            )
        else:
            count = running.get(variant["VariantName"])
            count = int(variant.get("InitialInstanceCount", 1) if count is None else count)
            cost = machine_cost(str(variant.get("InstanceType", "")), count, "endpoint", place.region)
        total = cost if not total.basis else total + cost
    return total


def _remove_endpoint(place: Place, found: Finding) -> str:
    if found.status in ("Creating", "Updating", "SystemUpdating", "RollingBack", "Deleting"):
        return f"waiting: {found.status}"  # AWS refuses to delete it now
    place.client("sagemaker").delete_endpoint(EndpointName=found.name)
    return "deleting"


def _free(kind: str, word: str) -> Kind:
    """A kind that costs nothing itself. Only ours are listed."""
    snake = word.replace("-", "_")

    def find(place: Place) -> Iterator[Finding]:
        rows = place.rows("sagemaker", f"list_{snake}s", f"{kind}s", NameContains=PREFIX)
        names = {str(row[f"{kind}Name"]): str(row[f"{kind}Arn"]) for row in rows}
        tagged = {arn.rpartition("/")[2]: arn for arn in place.tagged if f":{word}/" in arn}
        for name in sorted(tagged.keys() - names.keys()):
            # the index of tags keeps what was deleted for a while
            if _described(place, f"describe_{snake}", **{f"{kind}Name": name}) is not None:
                names[name] = tagged[name]
        for name, arn in sorted(names.items()):
            if place.is_ours(name, arn):
                yield place.finding(word, name, arn)

    def remove(place: Place, found: Finding) -> str:
        getattr(place.client("sagemaker"), f"delete_{snake}")(**{f"{kind}Name": found.name})
        return "deleted"

    return Kind(word, find, remove)


def _find_schedules(place: Place) -> Iterator[Finding]:
    cost = Cost(0.0, "starts processing jobs, which are listed apart")
    for row in place.rows("sagemaker", "list_monitoring_schedules", "MonitoringScheduleSummaries"):
        name, arn, status = (row[f"MonitoringSchedule{part}"] for part in ("Name", "Arn", "Status"))
        yield place.finding("monitoring-schedule", name, arn, status, cost)


def _remove_schedule(place: Place, found: Finding) -> str:
    place.client("sagemaker").delete_monitoring_schedule(MonitoringScheduleName=found.name)
    return "deleting"


def _find_notebooks(place: Place) -> Iterator[Finding]:
    for row in place.rows("sagemaker", "list_notebook_instances", "NotebookInstances"):
        name, status = str(row["NotebookInstanceName"]), str(row["NotebookInstanceStatus"])
        facts = _described(place, "describe_notebook_instance", NotebookInstanceName=name) or {}
        cost = _volume_cost(float(facts.get("VolumeSizeInGB", DEFAULT_NOTEBOOK_GB)), place)
        if status not in ("Stopped", "Failed", "Deleting"):
            cost = machine_cost(str(row["InstanceType"]), 1, "notebook", place.region) + cost
        yield place.finding("notebook", name, row["NotebookInstanceArn"], status, cost)


def _remove_notebook(place: Place, found: Finding) -> str:
    sagemaker = place.client("sagemaker")
    if found.status == "InService":
        sagemaker.stop_notebook_instance(NotebookInstanceName=found.name)
        return "stopping"
    if found.status in ("Stopped", "Failed"):
        sagemaker.delete_notebook_instance(NotebookInstanceName=found.name)
        return "deleting"
    return f"waiting: {found.status}"


def _find_apps(place: Place) -> Iterator[Finding]:
    for row in place.rows("sagemaker", "list_apps", "Apps"):
        if row["Status"] in ("Deleted", "Failed"):  # Studio lists them for a while
            continue
        owner = row.get("SpaceName") or row.get("UserProfileName") or ""
        name = "/".join(
            (row["DomainId"], "space" if row.get("SpaceName") else "user", owner, row["AppType"], row["AppName"])
        )
        instance = str(row.get("ResourceSpec", {}).get("InstanceType", ""))
        cost = Cost(0.0, "runs on a system instance, which is free")
        if instance and instance != "system":
            cost = machine_cost(instance, 1, "notebook", place.region)
        elif not instance and row["AppType"] != "JupyterServer":
            cost = Cost(None, "its instance type is not told")
        yield Finding("app", name, place.region, place.is_ours(owner), row["Status"], cost.usd_per_day, cost.basis)


def _remove_app(place: Place, found: Finding) -> str:
    if found.status == "Deleting":
        return "waiting: Deleting"
    domain, of, owner, kind, name = found.name.split("/")
    whose = {"SpaceName" if of == "space" else "UserProfileName": owner}
    place.client("sagemaker").delete_app(DomainId=domain, AppType=kind, AppName=name, **whose)
    return "deleting"


def _find_spaces(place: Place) -> Iterator[Finding]:
    for row in place.rows("sagemaker", "list_spaces", "Spaces"):
        settings = row.get("SpaceSettingsSummary", {}).get("SpaceStorageSettings", {})
        size = settings.get("EbsStorageSettings", {}).get("EbsVolumeSizeInGb")
        cost = _volume_cost(float(size), place) if size else Cost(None, "the size of its volume is not told")
        name = str(row["SpaceName"])
        yield Finding(
            "space",
            f"{row['DomainId']}/{name}",
            place.region,
            place.is_ours(name),
            row["Status"],
            cost.usd_per_day,
            cost.basis,
        )


def _remove_space(place: Place, found: Finding) -> str:
    if found.status in ("Pending", "Updating", "Deleting"):
        return f"waiting: {found.status}"
    domain, name = found.name.split("/")
    place.client("sagemaker").delete_space(DomainId=domain, SpaceName=name)
    return "deleting"


def _find_domains(place: Place) -> Iterator[Finding]:
    cost = Cost(None, "its file system (EFS) is billed by what it holds, which SageMaker does not tell")
    for row in place.rows("sagemaker", "list_domains", "Domains"):
        yield Finding(
            "studio-domain", row["DomainId"], place.region, False, row["Status"], cost.usd_per_day, cost.basis
        )


def _find_tracking_servers(place: Place) -> Iterator[Finding]:
    cost = Cost(None, "MLflow servers are billed by the hour of their size, whose price is not known")
    for row in place.rows("sagemaker", "list_mlflow_tracking_servers", "TrackingServerSummaries"):
        name, arn, status = (row[f"TrackingServer{part}"] for part in ("Name", "Arn", "Status"))
        yield place.finding("mlflow-server", name, arn, status, cost)


def _remove_tracking_server(place: Place, found: Finding) -> str:
    if found.status in ("Creating", "Updating", "Deleting", "Stopping", "Starting"):
        return f"waiting: {found.status}"
    place.client("sagemaker").delete_mlflow_tracking_server(TrackingServerName=found.name)
    return "deleting"


def _find_clusters(place: Place) -> Iterator[Finding]:
    for row in place.rows("sagemaker", "list_clusters", "ClusterSummaries"):
        facts = _described(place, "describe_cluster", ClusterName=row["ClusterName"]) or {}
        groups = [
            {"InstanceType": one["InstanceType"], "InstanceCount": one.get("CurrentCount", 1)}
            for one in facts.get("InstanceGroups", ())
        ]
        cost = machines_cost(groups, "training", place.region)
        yield place.finding("cluster", row["ClusterName"], row["ClusterArn"], row["ClusterStatus"], cost)


def _remove_component(place: Place, found: Finding) -> str:
    if found.status in ("Creating", "Updating", "Deleting"):
        return f"waiting: {found.status}"
    place.client("sagemaker").delete_inference_component(InferenceComponentName=found.name)
    return "deleting"


def _volume_cost(gigabytes: float, place: Place) -> Cost:
    return storage_cost(gigabytes * GB, "SageMaker", "volume", "training and notebook volume", place.region)


def _described(place: Place, operation: str, **arguments: Any) -> dict[str, Any] | None:
    """Returns a description, or None if the resource has ended since it was listed."""
    try:
        found: dict[str, Any] = getattr(place.client("sagemaker"), operation)(**arguments)
    except AwsError as error:
        if "could not find" in error.message.lower() or error.code in ("ResourceNotFound", "ResourceNotFoundException"):
            return None
        raise
    return found


SAGEMAKER_KINDS: tuple[Kind, ...] = (
    Kind("monitoring-schedule", _find_schedules, _remove_schedule),
    Kind("tuning-job", _find_tuning, _remove_tuning),
    _jobs("TrainingJob", "training-job", _training_machines),
    _jobs(
        "ProcessingJob", "processing-job", lambda facts: [facts.get("ProcessingResources", {}).get("ClusterConfig", {})]
    ),
    _jobs("TransformJob", "transform-job", lambda facts: [facts.get("TransformResources", {})]),
    Kind("warm-pool", _find_warm_pools, _remove_warm_pool),
    Kind("inference-component", _find_components, _remove_component),
    Kind("endpoint", _find_endpoints, _remove_endpoint),
    _free("EndpointConfig", "endpoint-config"),
    _free("Model", "model"),
    Kind("notebook", _find_notebooks, _remove_notebook),
    Kind("app", _find_apps, _remove_app),
    Kind("space", _find_spaces, _remove_space),
    Kind("mlflow-server", _find_tracking_servers, _remove_tracking_server),
    Kind("cluster", _find_clusters),
    Kind("studio-domain", _find_domains),
)
"""In the order of removal: an endpoint before its configuration, that before its model, an app before its space."""
