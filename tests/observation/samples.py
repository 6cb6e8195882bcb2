"""The samples of /metrics, by name and labels."""

from prometheus_client.parser import text_string_to_metric_families

from support.service_process import ServiceProcess

Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


def metrics_of(service: ServiceProcess) -> Samples:
    """Return the samples of one response of a service."""
    response = service.request("GET", "/metrics")
    assert response.status == 200
    return samples_of(response.body.decode())


def samples_of(text: str) -> Samples:
    """Return every sample, by its name and labels."""
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def value(samples: Samples, name: str, **labels: str) -> float:
    """Return the sum of the samples of that name that have these labels."""
    return sum(
        number
        for (found, having), number in samples.items()
        if found == name and labels.items() <= dict(having).items()
    )


def gauges_of(service: ServiceProcess) -> set[str]:
    """Return the names of the gauges, also of those that have no sample yet."""
    families = text_string_to_metric_families(service.request("GET", "/metrics").body.decode())
    return {family.name for family in families if family.type == "gauge"}


def names(samples: Samples) -> set[str]:
    return {name for name, _ in samples}
