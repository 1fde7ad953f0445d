"""Confluent's Python client, for the tests of what others write to our topics and read from them.

write ADDRESS                       appends the records of standard input, a line of JSON each: topic, key, value
                                    (a text), headers
read ADDRESS SCHEMAS TOPIC=NAME...  prints every committed record of the topics, a line of JSON each, with what is wrong
                                    with its value by the schema SCHEMAS/NAME.schema.json
decode ADDRESS REGISTRY TOPIC...    prints them with their values as Avro or Protobuf in Confluent's wire format has
                                    them, by the schemas that the registry knows
"""

import io
import json
import sys
import tempfile
import urllib.request
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


def committed(address, topics):
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
    places = [TopicPartition(topic, p, 0) for topic in topics for p in known[topic].partitions]
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
        yield record
    consumer.close()


def tell(record, value, **more):
    told = {
        "topic": record.topic(),
        "partition": record.partition(),
        "offset": record.offset(),
        "key": record.key().decode("utf-8") if record.key() is not None else None,
        "value": value,
        "headers": {name: text.decode("utf-8") for name, text in record.headers() or []},
        **more,
    }
    print(json.dumps(told, default=lambda time: round(time.timestamp() * 1000)))


def read(address, folder, topics):
    schemas = dict(topic.split("=") for topic in topics)
    valid = validators(folder, set(schemas.values()))
    for record in committed(address, schemas):
        value = record.value()
        text = value.decode("utf-8", "replace") if value is not None else None
        tell(record, text, faults=[] if value is None else faults(valid[schemas[record.topic()]], value))


def decode(address, registry, topics):
    decoders = {}
    for record in committed(address, topics):
        value = record.value()
        if value is None:
            tell(record, None)
            continue
        schema_id = int.from_bytes(value[1:5], "big")
        if value[0] != 0:
            raise SystemExit(f"byte 0 is {value[0]}")
        if schema_id not in decoders:
            decoders[schema_id] = decoder(f"{registry}/schemas/ids/{schema_id}")
        tell(record, decoders[schema_id](value[5:]))


def decoder(url):
    with urllib.request.urlopen(url) as response:
        found = json.load(response)
    if found.get("schemaType") == "PROTOBUF":
        return protobuf_decoder(found["schema"])
    import fastavro

    schema = fastavro.parse_schema(json.loads(found["schema"]))
    return lambda body: fastavro.schemaless_reader(io.BytesIO(body), schema)


def protobuf_decoder(text):
    from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
    from grpc_tools import protoc

    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "a.proto").write_text(text, "utf-8")
        if protoc.main(["", f"-I{folder}", f"--descriptor_set_out={folder}/a.set", f"{folder}/a.proto"]) != 0:
            raise SystemExit(f"no schema of Protobuf: {text}")
        files = descriptor_pb2.FileDescriptorSet.FromString(Path(folder, "a.set").read_bytes()).file
    pool = descriptor_pool.DescriptorPool()
    pool.Add(files[0])
    names = pool.FindFileByName("a.proto").message_types_by_name
    first = message_factory.GetMessageClass(names[files[0].message_type[0].name])

    def decode_body(body):
        if body[0] != 0:
            raise SystemExit(f"it is not of the first type: {body[0]}")
        return plain(first.FromString(body[1:]))

    return decode_body


def plain(message):
    value = {}
    for field in message.DESCRIPTOR.fields:
        own = getattr(message, field.name)
        if field.is_repeated:
            value[field.name] = [plain(one) if field.message_type else one for one in own]
        elif not field.has_presence or message.HasField(field.name):
            value[field.name] = plain(own) if field.message_type else own
    return value


if __name__ == "__main__":
    command, address, *rest = sys.argv[1:]
    if command == "write":
        write(address)
    elif command == "decode":
        decode(address, rest[0], rest[1:])
    else:
        read(address, rest[0], rest[1:])
