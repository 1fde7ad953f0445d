// Kafka's own Java clients, for the tests of what we write and read. Run from source: java -cp 'libs/*' Clients.java

import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.*;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.*;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.header.internals.RecordHeaders;
import org.apache.kafka.common.serialization.*;

/**
 * write ADDRESS TOPIC=COMPRESSION...: appends a record to each topic for each line of standard input, "key TAB value".
 * read ADDRESS TOPIC...: prints "topic TAB partition TAB offset TAB time TAB key TAB value TAB name=value ..." of
 * every committed record.
 */
public class Clients {
  public static void main(String[] args) {
    var rest = Arrays.asList(args).subList(2, args.length);
    if (args[0].equals("write")) write(args[1], rest);
    else read(args[1], rest);
  }

  static void write(String address, List<String> topics) {
    var lines = new ArrayList<String[]>();
    var input = new Scanner(System.in, StandardCharsets.UTF_8);
    while (input.hasNextLine()) lines.add(input.nextLine().split("\t"));
    for (String each : topics) {
      String topic = each.split("=")[0], compression = each.split("=")[1];
      Map<String, Object> config = Map.of("bootstrap.servers", address, "compression.type", compression, "linger.ms", 20);
      try (var producer = new KafkaProducer<>(config, new StringSerializer(), new StringSerializer())) {
        var headers = new RecordHeaders().add("name", "žofie".getBytes(StandardCharsets.UTF_8));
        for (var line : lines) producer.send(new ProducerRecord<>(topic, null, 1000L, line[0], line[1], headers));
      }
    }
  }

  static void read(String address, List<String> topics) {
    Map<String, Object> config = Map.of("bootstrap.servers", address, "isolation.level", "read_committed");
    var out = new java.io.PrintStream(System.out, true, StandardCharsets.UTF_8);
    try (var consumer = new KafkaConsumer<>(config, new StringDeserializer(), new StringDeserializer())) {
      var all = new ArrayList<TopicPartition>();
      for (var topic : topics) {
        for (var info : consumer.partitionsFor(topic)) all.add(new TopicPartition(topic, info.partition()));
      }
      consumer.assign(all);
      consumer.seekToBeginning(all);
      var ends = consumer.endOffsets(all);
      while (all.stream().anyMatch(p -> consumer.position(p) < ends.get(p))) {
        for (var r : consumer.poll(Duration.ofMillis(100))) {
          var headers = new StringJoiner(" ");
          for (var h : r.headers()) headers.add(h.key() + "=" + new String(h.value(), StandardCharsets.UTF_8));
          out.println(String.join("\t", r.topic(), "" + r.partition(), "" + r.offset(), "" + r.timestamp(), r.key(), r.value(),
              headers.toString()));
        }
      }
    }
  }
}
