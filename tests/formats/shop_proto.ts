/**
 * A Protobuf schema with one field of every kind, and how the Python library encodes a value of it.
 *
 * Written by `python -m grpc_tools.protoc` of grpcio-tools 1.85.1 and `SerializeToString(deterministic=True)`; the places
 * of types by `ProtobufSerializer._encode_varints` of confluent-kafka 2.16.1.
 *
 * @module
 */

/** The file that is imported. */
export const PERSON = `syntax = "proto3"; package com.people; message Person { string id = 1; }`;

/** The file. */
export const SHOP = `
syntax = "proto3";
package com.shop;
import "google/protobuf/timestamp.proto";
import "google/protobuf/duration.proto";
import "google/protobuf/wrappers.proto";
import "google/protobuf/struct.proto";
import "people/person.proto";

enum Kind { KIND_UNKNOWN = 0; VIEW = 1; BUY = 2; }
message Other { string a = 1; }
message Click {
  com.people.Person who = 1;
  google.protobuf.Timestamp at = 2;
  string sku = 3;
  Kind kind = 4;
  double price = 5;
  optional float ratio = 6;
  bool is_new = 7;
  int32 count = 8;
  int64 big = 9;
  uint64 huge = 10;
  sint32 down = 11;
  sint64 far_down = 12;
  fixed32 f32 = 13;
  sfixed64 sf64 = 14;
  bytes raw = 15;
  repeated string tags = 16;
  repeated int32 ranks = 17;
  map<string, int64> counts = 18;
  map<int32, Line> lines = 19;
  oneof from { string page = 20; int32 shelf = 21; Line line = 22; }
  google.protobuf.StringValue session = 23;
  google.protobuf.Int64Value dwell = 24;
  google.protobuf.Struct more = 25;
  google.protobuf.Duration lasted = 26;
  Click parent = 27;
  repeated Kind kinds = 28;
  string none = 29;
  sfixed32 sf32 = 30;
  fixed64 f64 = 31;
  uint32 u32 = 32;
  message Line { string sku = 1; int32 n = 2; message Deep { string x = 1; } }
}
`;

/** A click, encoded. */
export const WRITTEN = Uint8Array.fromHex(
  "0a060a04c3a46e6e120b08a0a9a5d80610c0a9d33a1a0241312002290000000000002340350000803e380140fdffffff" +
    "ffffffffff0148ffffffffffffffefff0150ffffffffffffffffff01580960ffffffffff3f6dffffffff710000000000" +
    "0000c07a0201c8820101788201008a010d01ffffffffffffffffff01ac0292010c0a01611080808080808080029a0112" +
    "08f9ffffffffffffffff0112050a01421002b201030a0143ba01030a0173c20100ca012a0a280a0161122332210a0911" +
    "000000000000f03f0a031a01740a0208000a0b2a090a070a016212022001d2010808011080cab5ee01da01031a0150e2" +
    "0103010200f501fefffffff901ffffffffffff1f008002ffffffff0f",
);

/** Its value. */
export const CLICK = {
  who: { id: "änn" },
  at: 1_795_773_600_123,
  sku: "A1",
  kind: "BUY",
  price: 9.5,
  ratio: 0.25,
  "is_new": true,
  count: -3,
  big: "-9007199254740993",
  huge: "18446744073709551615",
  down: -5,
  "far_down": -(2 ** 40),
  f32: 4_294_967_295,
  sf64: "-4611686018427387904",
  raw: "Acg=",
  tags: ["x", ""],
  ranks: [1, -1, 300],
  counts: { a: 2 ** 50 },
  lines: { "-7": { sku: "B", n: 2 } },
  line: { sku: "C", n: 0 },
  session: "s",
  dwell: 0,
  more: { a: [1, "t", null, { b: true }] },
  lasted: 1500,
  parent: {
    sku: "P",
    kind: "KIND_UNKNOWN",
    price: 0,
    is_new: false,
    count: 0,
    big: 0,
    huge: 0,
    down: 0,
    far_down: 0,
    f32: 0,
    sf64: 0,
    raw: "",
    tags: [],
    ranks: [],
    counts: {},
    lines: {},
    kinds: [],
    none: "",
    sf32: 0,
    f64: 0,
    u32: 0,
  },
  kinds: ["VIEW", "BUY", "KIND_UNKNOWN"],
  none: "",
  sf32: -2,
  f64: Number.MAX_SAFE_INTEGER,
  u32: 4_294_967_295,
};

/** The file as the Python client of Confluent's registry registers it: a `FileDescriptorProto`. */
export const SHOP_DESCRIPTOR =
  "CgpzaG9wLnByb3RvEghjb20uc2hvcBofZ29vZ2xlL3Byb3RvYnVmL3RpbWVzdGFtcC5wcm90bxoeZ29vZ2xlL3Byb3RvYnVm" +
  "L2R1cmF0aW9uLnByb3RvGh5nb29nbGUvcHJvdG9idWYvd3JhcHBlcnMucHJvdG8aHGdvb2dsZS9wcm90b2J1Zi9zdHJ1Y3Qu" +
  "cHJvdG8aE3Blb3BsZS9wZXJzb24ucHJvdG8iEgoFT3RoZXISCQoBYRgBIAEoCSK3BwoFQ2xpY2sSHwoDd2hvGAEgASgLMhIu" +
  "Y29tLnBlb3BsZS5QZXJzb24SJgoCYXQYAiABKAsyGi5nb29nbGUucHJvdG9idWYuVGltZXN0YW1wEgsKA3NrdRgDIAEoCRIc" +
  "CgRraW5kGAQgASgOMg4uY29tLnNob3AuS2luZBINCgVwcmljZRgFIAEoARISCgVyYXRpbxgGIAEoAkgBiAEBEg4KBmlzX25l" +
  "dxgHIAEoCBINCgVjb3VudBgIIAEoBRILCgNiaWcYCSABKAMSDAoEaHVnZRgKIAEoBBIMCgRkb3duGAsgASgREhAKCGZhcl9k" +
  "b3duGAwgASgSEgsKA2YzMhgNIAEoBxIMCgRzZjY0GA4gASgQEgsKA3JhdxgPIAEoDBIMCgR0YWdzGBAgAygJEg0KBXJhbmtz" +
  "GBEgAygFEisKBmNvdW50cxgSIAMoCzIbLmNvbS5zaG9wLkNsaWNrLkNvdW50c0VudHJ5EikKBWxpbmVzGBMgAygLMhouY29t" +
  "LnNob3AuQ2xpY2suTGluZXNFbnRyeRIOCgRwYWdlGBQgASgJSAASDwoFc2hlbGYYFSABKAVIABIkCgRsaW5lGBYgASgLMhQu" +
  "Y29tLnNob3AuQ2xpY2suTGluZUgAEi0KB3Nlc3Npb24YFyABKAsyHC5nb29nbGUucHJvdG9idWYuU3RyaW5nVmFsdWUSKgoF" +
  "ZHdlbGwYGCABKAsyGy5nb29nbGUucHJvdG9idWYuSW50NjRWYWx1ZRIlCgRtb3JlGBkgASgLMhcuZ29vZ2xlLnByb3RvYnVm" +
  "LlN0cnVjdBIpCgZsYXN0ZWQYGiABKAsyGS5nb29nbGUucHJvdG9idWYuRHVyYXRpb24SHwoGcGFyZW50GBsgASgLMg8uY29t" +
  "LnNob3AuQ2xpY2sSHQoFa2luZHMYHCADKA4yDi5jb20uc2hvcC5LaW5kEgwKBG5vbmUYHSABKAkSDAoEc2YzMhgeIAEoDxIL" +
  "CgNmNjQYHyABKAYSCwoDdTMyGCAgASgNGi0KC0NvdW50c0VudHJ5EgsKA2tleRgBIAEoCRINCgV2YWx1ZRgCIAEoAzoCOAEa" +
  "QgoKTGluZXNFbnRyeRILCgNrZXkYASABKAUSIwoFdmFsdWUYAiABKAsyFC5jb20uc2hvcC5DbGljay5MaW5lOgI4ARoxCgRM" +
  "aW5lEgsKA3NrdRgBIAEoCRIJCgFuGAIgASgFGhEKBERlZXASCQoBeBgBIAEoCUIGCgRmcm9tQggKBl9yYXRpbyorCgRLaW5k" +
  "EhAKDEtJTkRfVU5LTk9XThAAEggKBFZJRVcQARIHCgNCVVkQAmIGcHJvdG8z";

/** The file that is imported, likewise. */
export const PERSON_DESCRIPTOR =
  "ChNwZW9wbGUvcGVyc29uLnByb3RvEgpjb20ucGVvcGxlIhQKBlBlcnNvbhIKCgJpZBgBIAEoCWIGcHJvdG8z";
