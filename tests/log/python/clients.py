"""Confluent's Python client, for the tests of what others write to our topics and read from them.

write ADDRESS                       appends the records of standard input, a line of JSON each: topic, key, value
                                    (a text), headers
read ADDRESS SCHEMAS TOPIC=NAME...  prints every committed record of the topics, a line of JSON each, with what is wrong
                                    with its value by the schema SCHEMAS/NAME.schema.json
"""

import json
import sys
from pathlib import Path

from confluent_kafka import Consumer, Producer, TopicPartition
from jsonschema import Draft202012Validator


def write(address):
    # librdkafka's default places keys elsewhere than Kafka's own clients do.
    producer = Producer({"bootstrap.servers": address, "partitioner": "murmur2_random"})
    failures = []
    for line in sys.stdin:
        record = json.loads(line)
        producer.produce(
            record["topic"],
            key=record["key"],
            value=record["value"],
            headers=record.get("headers", {}),
            on_delivery=lambda error, _: failures.append(error) if error else None,
        )
    producer.flush()
    if failures:
        raise SystemExit(f"not written: {failures[0]}")


def validators(folder, names):
    return {
        name: Draft202012Validator(json.loads(Path(folder, f"{name}.schema.json").read_text("utf-8")))
        for name in names
    }


def faults(validator, value):
    try:
        return [error.message[:200] for error in validator.iter_errors(json.loads(value.decode("utf-8")))]
    except ValueError as error:
        return [str(error)]


def read(address, folder, topics):
    schemas = dict(topic.split("=") for topic in topics)
    valid = validators(folder, set(schemas.values()))
    consumer = Consumer(
        {
            "bootstrap.servers": address,
            "group.id": "python-contract",
            "isolation.level": "read_committed",
            "enable.partition.eof": True,
            "auto.offset.reset": "earliest",
        }
    )
    known = consumer.list_topics(timeout=20).topics
    places = [TopicPartition(topic, p, 0) for topic in schemas for p in known[topic].partitions]
    consumer.assign(places)
    ended = set()
    while len(ended) < len(places):
        record = consumer.poll(20)
        if record is None:
            raise SystemExit("nothing came for 20 s")
        if record.error():
            if record.error().name() != "_PARTITION_EOF":
                raise SystemExit(str(record.error()))
            ended.add((record.topic(), record.partition()))
            continue
        value = record.value()
        print(
            json.dumps(
                {
                    "topic": record.topic(),
                    "partition": record.partition(),
                    "offset": record.offset(),
                    "key": record.key().decode("utf-8") if record.key() is not None else None,
                    "value": value.decode("utf-8", "replace") if value is not None else None,
                    "headers": {name: text.decode("utf-8") for name, text in record.headers() or []},
                    "faults": [] if value is None else faults(valid[schemas[record.topic()]], value),
                }
            )
        )
    consumer.close()


if __name__ == "__main__":
    command, address, *rest = sys.argv[1:]
    if command == "write":
        write(address)
    else:
        read(address, rest[0], rest[1:])
