"""The prices of AWS in US dollars: us-east-1, on demand, first tier, without free tier and discounts.

AWS's own pages insert their prices by script, so each price is from a page that quotes it, with the date of
that page. All were looked up on `AS_OF`.
"""

from dataclasses import dataclass

AS_OF = "2026-11-25"
MILLION, GB = 1_000_000, 1_000_000_000


@dataclass(frozen=True)
class Price:
    """A price: US dollars for `per` units."""

    service: str
    what: str
    usd: float
    per: int
    source: str

    def of(self, number: float) -> float:
        """Return the cost of so many units."""
        return self.usd * number / self.per


_LAMBDA = "AWS Lambda Pricing Breakdown, cloudchipr.com, 2024"
_DYNAMODB = "Amazon DynamoDB Pricing, airbyte.com, 2025-07"
_CLOUDWATCH = "Amazon CloudWatch Pricing, cloudburn.io, 2026-02, and factualminds.com, 2026-06"
_S3 = "Amazon S3 Pricing Explained, cloudburn.io, 2026-03, and devnotes.tech"
_STORAGE = "Amazon DynamoDB pricing, aws.amazon.com, an undated copy"
_SECRETS = "AWS Secrets Manager, hivebook.wiki"

COMPUTE = Price("Lambda", "GB-second, arm64", 0.0000133334, 1, _LAMBDA)
INVOCATION = Price("Lambda", "million requests", 0.20, MILLION, _LAMBDA)
API_REQUEST = Price(
    "API Gateway", "million HTTP API requests", 1.00, MILLION, "AWS API Gateway Pricing, go-cloud.io, 2026"
)
WRITE_UNIT = Price("DynamoDB", "million write request units", 0.625, MILLION, _DYNAMODB)
READ_UNIT = Price("DynamoDB", "million read request units", 0.125, MILLION, _DYNAMODB)
TABLE_MONTH = Price("DynamoDB", "GB-month stored", 0.25, GB, _STORAGE)
PITR_MONTH = Price("DynamoDB", "GB-month recoverable (PITR)", 0.20, GB, "from memory: no page was found")
PUT = Price("S3", "thousand PUT and LIST requests", 0.005, 1000, _S3)
GET = Price("S3", "thousand GET requests", 0.0004, 1000, _S3)
BUCKET_MONTH = Price("S3", "GB-month stored", 0.023, GB, _S3)
DATA_OUT = Price("Data out", "GB to the internet", 0.09, GB, "Understanding AWS S3 Pricing, devnotes.tech")
SECRET_CALL = Price("Secrets Manager", "10,000 calls", 0.05, 10_000, _SECRETS)
SECRET_MONTH = Price("Secrets Manager", "secret and month", 0.40, 1, _SECRETS)
LOG = Price("CloudWatch", "GB of logs taken", 0.50, GB, _CLOUDWATCH)
METRIC_MONTH = Price("CloudWatch", "own metric and month", 0.30, 1, _CLOUDWATCH)
ALARM_MONTH = Price("CloudWatch", "metric of an alarm and month", 0.10, 1, _CLOUDWATCH)
DASHBOARD_MONTH = Price("CloudWatch", "dashboard and month", 3.00, 1, _CLOUDWATCH)
KEY_CALL = Price("KMS", "10,000 calls", 0.03, 10_000, "DynamoDB Encryption Cost, usage.ai, 2026-04")

PRICES = (
    COMPUTE,
    INVOCATION,
    API_REQUEST,
    WRITE_UNIT,
    READ_UNIT,
    TABLE_MONTH,
    PITR_MONTH,
    PUT,
    GET,
    BUCKET_MONTH,
    DATA_OUT,
    SECRET_CALL,
    SECRET_MONTH,
    LOG,
    METRIC_MONTH,
    ALARM_MONTH,
    DASHBOARD_MONTH,
    KEY_CALL,
)
