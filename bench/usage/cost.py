"""`make cost`: write docs/measurements/cost.md, the cost of a case and of a month, from counted requests."""

from collections.abc import Iterator, Mapping
from decimal import Decimal

from darkroom.adapters.providers import prices as picture_prices
from darkroom.adapters.providers.prices import Price

from bench.usage import bill, price_list
from bench.usage.growth import SIZES, Counted, count, other_requests
from bench.usage.request_meter import Meter
from bench.usage.worker_lifetimes import Lifetimes, simulated
from local import package

FILE = package.ROOT / "docs/measurements/cost.md"
LIMIT_USD = 0.005
"""Maximum cost of AWS for a case of 14 pictures, in US dollars."""
USUAL = 14
PROVIDERS = (
    ("gemini", "gemini-nano-banana-2.1", ""),
    ("bedrock", "stability.stable-image-core-v1:1", ""),
    ("openai", "gpt-image-2", "medium"),
)
"""Provider, model and quality, by the template's defaults."""


def picture_price(provider: str, model: str, quality: str) -> Price:
    """Return the price of one picture."""
    return picture_prices.price(provider, model, quality)


def by_service(counted: Counted) -> Iterator[str]:
    """Yield the table of a case's AWS cost by service, the most expensive first."""
    found = bill.of_case(counted)
    total = sum(found.values())
    yield "| service | USD a case | share |"
    yield "| --- | --: | --: |"
    for service in _most_expensive(found):
        yield f"| {service} | {found[service]:.6f} | {found[service] / total:.1%} |"
    yield f"| **all of AWS** | **{total:.6f}** | of {LIMIT_USD:.3f} allowed: {total / LIMIT_USD:.0%} |"


def by_size(cases: Mapping[int, tuple[Counted, Lifetimes]]) -> Iterator[str]:
    """Yield the table of cases of several sizes."""
    usd = picture_price(*PROVIDERS[0]).usd
    yield "| pictures | worker | p95 | requests | AWS USD | a picture | dominates | pictures USD | share |"
    yield "| --: | --: | --: | --: | --: | --: | --- | --: | --: |"
    for shots, (counted, life) in cases.items():
        found = bill.of_case(counted)
        aws, spent = sum(found.values()), float(usd) * life.requests
        yield (
            f"| {shots} | {life.mean_s:.1f} s | {life.p95_s:.1f} s | {life.requests:.1f} | {aws:.6f}"
            f" | {aws / shots:.6f} | {_most_expensive(found)[0]} | {spent:.4f} | {aws / (aws + spent):.2%} |"
        )


def _most_expensive(found: bill.Bill) -> list[str]:
    return sorted(found, key=lambda service: -found[service])


def by_provider(aws: float, life: Lifetimes) -> Iterator[str]:
    """Yield the table of providers, for the usual case, including hedges."""
    yield "| provider | model | a picture | pictures | of it for hedges | with AWS | price as of |"
    yield "| --- | --- | --: | --: | --: | --: | --- |"
    for provider, model, quality in PROVIDERS:
        price = picture_price(provider, model, quality)
        spent = price.usd * Decimal(life.requests)
        yield (
            f"| {provider} | {model}{f', {quality}' if quality else ''} | {price.usd} | {spent:.3f}"
            f" | {life.wasted_share:.1%} | {float(spent) + aws:.3f} | {price.as_of}, {price.source} |"
        )


def by_month(aws: float, life: Lifetimes, sweep: Meter) -> Iterator[str]:
    """Yield the tables of months."""
    idle, busy = bill.of_month(sweep, cases=False), bill.of_month(sweep, cases=True)
    yield "| a month without a case | USD | with cases |"
    yield "| --- | --: | --: |"
    for service in idle:
        yield f"| {service} | {idle[service]:.2f} | {busy[service]:.2f} |"
    yield f"| **all** | **{sum(idle.values()):.2f}** | **{sum(busy.values()):.2f}** |"
    yield ""
    names = " | ".join(f"pictures, {provider}" for provider, _, _ in PROVIDERS)
    yield f"| cases a month | AWS, fixed | AWS, cases | AWS a case | {names} |"
    yield "| --: | --: | --: | --: |" + " --: |" * len(PROVIDERS)
    fixed = sum(busy.values())
    for cases in (1, 1_000, 1_000_000):
        pictures = (float(picture_price(*each).usd) * life.requests * cases for each in PROVIDERS)
        yield (
            f"| {cases:,} | {fixed:,.2f} | {aws * cases:,.2f} | {aws + fixed / cases:,.4f} | "
            + " | ".join(f"{usd:,.2f}" for usd in pictures)
            + " |"
        )


def list_of_prices() -> Iterator[str]:
    """Yield the price list."""
    yield "| service | for | USD | source |"
    yield "| --- | --- | --: | --- |"
    for price in price_list.PRICES:
        yield f"| {price.service} | {price.what} | {price.usd:.10g} | {price.source} |"


def page(cases: Mapping[int, tuple[Counted, Lifetimes]], sweep: Meter) -> str:
    """Return docs/measurements/cost.md."""
    usual, life = cases[USUAL]
    aws = sum(bill.of_case(usual).values())
    parts = [
        "# What it costs",
        _paragraph(
            "`make cost` writes this page from counted requests and dated prices; change `bench/`, not this"
            " page.",
            f"Prices are those of us-east-1 as found on {price_list.AS_OF}, without free tiers, discounts,"
            " support and tax.",
        ),
        f"## A case of {USUAL} pictures (seed {life.typical})",
        "\n".join(by_service(usual)),
        *_how(usual, life),
        "## Cases of other sizes",
        "\n".join(by_size(cases)),
        _paragraph(
            "The running time of workers is simulated: 14 requests at once, and a provider that takes 8 s"
            " (median) or 20 s (95th percentile) and never fails.",
            "The pictures are Gemini's and include hedges.",
            "The cost of DynamoDB grows faster than a case: every snapshot writes the whole job, and larger"
            " cases have more snapshots.",
        ),
        f"## A case of {USUAL}, by provider",
        "\n".join(by_provider(aws, life)),
        "## A month",
        "\n".join(by_month(aws, life, sweep)),
        "## Prices",
        "\n".join(list_of_prices()),
    ]
    return "\n\n".join(parts) + "\n"


def _how(usual: Counted, life: Lifetimes) -> Iterator[str]:
    """Yield what dominates the usual case, what is counted, what is assumed, and the effect of memory."""
    first, second, *_ = _most_expensive(bill.of_case(usual))
    longer = sum(bill.of_case(usual, longer=2).values())
    memory = bill.memory_gb("worker")
    saved = price_list.COMPUTE.of((memory - 1) * (usual.ran_s + bill.WORKER_MORE_S + bill.INIT_S))
    pictures = life.requests * float(picture_price(*PROVIDERS[0]).usd)
    yield _paragraph(
        f"{first} dominates, then {second}: the worker is billed while it waits for the provider.",
        f"The pictures cost {pictures / sum(bill.of_case(usual).values()):,.0f} times as much as all of AWS.",
    )
    yield _paragraph(
        "Counted: every request of every function to AWS, and every byte of log, item, response and picture,"
        " of a case whose worker runs as long as the mean.",
        "Its client polls every two seconds and fetches each picture once, its receiver gets every change,"
        " and every function starts cold.",
    )
    yield _paragraph(
        f"Assumed: a warm call takes {bill.WARM_MS} ms, a delivery {bill.DELIVERY_MS} ms, a cold start"
        f" {bill.INIT_S} s, and the worker {bill.WORKER_MORE_S:.0f} s in addition to its waiting.",
        f"If each took twice as long, the case would cost {longer:.6f} USD.",
        "Left out because it is too small: storage of logs, traffic between worker and gateway, queues,"
        " topics.",
        "Free: the schedule, and Lambda's reads of the table's stream.",
    )
    yield _paragraph(
        f"With {memory * 1024:.0f} MB the worker has a whole core.",
        f"With 1024 MB it would have 0.58 of a core, and a case would cost {saved:.6f} USD less:"
        f" {saved / pictures:.2%} of its pictures.",
        "It keeps the whole core, because 14 pictures may arrive at once.",
    )


def _paragraph(*sentences: str) -> str:
    """Return a paragraph with one sentence a line."""
    return "\n".join(sentences)


def main() -> None:
    """Count the requests and write the page."""
    lives = {shots: simulated(shots) for shots in SIZES}
    cases = {shots: (count(shots, life.typical), life) for shots, life in lives.items()}
    *_, (_, sweep, _) = other_requests(1)
    FILE.write_text(page(cases, sweep))
    print(f"{sum(bill.of_case(cases[USUAL][0]).values()):.6f} USD of AWS a case of {USUAL}; see {FILE.name}")


if __name__ == "__main__":
    main()
