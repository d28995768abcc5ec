// Copyright 2026 the Sluice authors. MIT license.

/** Valid responses of every kind, one character for each byte. */
export const responses: readonly string[] = [
  "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
  'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n6;a=b;c;d="e;\\"f"\r\n world\r\n0\r\n\r\n',
  "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n1\r\nb\r\n0a\r\n0123456789\r\n0\r\nx-sum: 1\r\n\r\n",
  "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 201 Created\r\ncontent-length: 2\r\n\r\nok",
  "HTTP/1.0 200 OK\r\nServer: old\r\n\r\nuntil the end",
  "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nok",
  "HTTP/1.1 204 No Content\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\n\r\n",
  'HTTP/1.1 304 Not Modified\r\nETag: "x"\r\nContent-Length: 100\r\n\r\n',
  "HTTP/1.1 404 Not Found\r\nconnection: close\r\ncontent-length: 0\r\n\r\n",
  "HTTP/1.1 200 \r\nX-Empty:\r\nX-Spaces: \t a b \t\r\nX-Wide: caf\xe9\r\ncontent-length: 1\r\n\r\nx",
  "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\nraw",
  "HTTP/1.1 302 Found\r\nLocation: /b\r\nKeep-Alive: timeout=5\r\nConnection: keep-alive, x\r\nContent-Length: 3\r\n\r\nabc",
];

/** One that must be refused, and what the error says. */
export type Malformed = readonly [what: string, response: string, why: RegExp];

const head = "HTTP/1.1 200 OK\r\n";
const chunkedHead = `${head}Transfer-Encoding: chunked\r\n\r\n`;
const length = (value: string) => `${head}Content-Length: ${value}\r\n\r\nhello`;
const coding = (value: string) => `${head}Transfer-Encoding: ${value}\r\n\r\n0\r\n\r\n`;
const field = (line: string) => `${head}${line}\r\nContent-Length: 0\r\n\r\n`;
const chunks = (text: string) => chunkedHead + text;

const notStart = /does not begin with HTTP/;
const notDigits = /status has not three digits/;
const badName = /name of a header/;
const control = /control character/;
const bareFeed = /line feed without a carriage return/;
const bareReturn = /carriage return that ends no line/;
const notWhole = /content-length is not a whole number/;
const notChunked = /not just chunked/;
const notHex = /chunk size is not hexadecimal/;
const badExtension = /chunk extension is malformed/;
const chunkEnd = /chunk does not end with CRLF/;

/** Malformed responses, with the attacks on their framing. */
export const malformed: readonly Malformed[] = [
  ["another protocol", "SSH-2.0-OpenSSH_9.2\r\n", notStart],
  ["HTTP/0.9", "<html>hello</html>", notStart],
  ["HTTP/2", "HTTP/2 200 OK\r\n\r\n", notStart],
  ["HTTP/1.2", "HTTP/1.2 200 OK\r\n\r\n", notStart],
  ["a lower-case protocol", "http/1.1 200 OK\r\n\r\n", notStart],
  ["an empty line before", `\r\n${head}\r\n`, notStart],
  ["white space before", ` ${head}\r\n`, notStart],
  ["no space after the version", "HTTP/1.1200 OK\r\n\r\n", /no space after the version/],
  ["a tab after the version", "HTTP/1.1\t200 OK\r\n\r\n", /no space after the version/],
  ["two spaces after the version", "HTTP/1.1  200 OK\r\n\r\n", notDigits],
  ["a status of two digits", "HTTP/1.1 20 OK\r\n\r\n", notDigits],
  ["a status of four digits", "HTTP/1.1 2000 OK\r\n\r\n", notDigits],
  ["a status with a sign", "HTTP/1.1 +20 OK\r\n\r\n", notDigits],
  ["a status below 100", "HTTP/1.1 099 OK\r\n\r\n", /not from 100 to 599/],
  ["a status above 599", "HTTP/1.1 600 OK\r\n\r\n", /not from 100 to 599/],
  ["a line feed after the status", "HTTP/1.1 200\n\r\n", notDigits],
  ["a bare line feed after the reason", "HTTP/1.1 200 OK\ncontent-length: 0\r\n\r\n", /without a carriage return/],
  ["a bare carriage return in the reason", "HTTP/1.1 200 O\rK\r\n\r\n", /carriage return that does not end it/],
  ["NUL in the reason", "HTTP/1.1 200 O\0K\r\n\r\n", control],
  ["DEL in the reason", "HTTP/1.1 200 O\x7fK\r\n\r\n", control],

  ["a folded line", field("X-A: a\r\n b"), /folded line/],
  ["a line folded by a tab", field("X-A: a\r\n\tb"), /folded line/],
  ["a folded first line", `${head} X-A: a\r\n\r\n`, /folded line/],
  ["a space before a colon", field("Content-Length : 5"), /white space before a colon/],
  ["a tab before a colon", field("Transfer-Encoding\t: chunked"), /white space before a colon/],
  ["an empty name", field(": a"), badName],
  ["a line without a colon", field("abc"), /line without a colon/],
  ["a line without a colon that a line feed ends", `${head}abc\nX-A: b\r\n\r\n`, /line without a colon/],
  ["a name with a bracket", field("X(A): b"), badName],
  ["a name with a byte above 127", field("X\xe9: b"), badName],
  ["a name with NUL", field("X\0: b"), badName],
  ["a bare line feed after a value", `${head}X-A: a\nX-B: b\r\n\r\n`, bareFeed],
  ["a bare line feed as the empty line", `${head}X-A: a\r\n\n`, bareFeed],
  ["a bare carriage return in a value", field("X-A: a\rContent-Length: 5"), bareReturn],
  ["two carriage returns", `${head}X-A: a\r\r\n\r\n`, bareReturn],
  ["a bare carriage return as the empty line", `${head}X-A: a\r\n\rX`, bareReturn],
  ["NUL in a value", field("X-A: a\0b"), control],
  ["an escape character in a value", field("X-A: \x1b[2J"), control],
  ["DEL in a value", field("X-A: \x7f"), control],
  ["a vertical tab in a value", field("X-A: \x0b"), control],

  ["two equal lengths", `${head}Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello`, /more than one content-length/],
  ["two lengths", `${head}Content-Length: 5\r\ncontent-length: 6\r\n\r\nhello`, /more than one content-length/],
  ["a list of equal lengths", length("5, 5"), notWhole],
  ["a list of lengths", length("5,6"), notWhole],
  ["a length with a sign", length("+5"), notWhole],
  ["a negative length", length("-5"), notWhole],
  ["an empty length", length(""), notWhole],
  ["a hexadecimal length", length("0x5"), notWhole],
  ["a fractional length", length("5.0"), notWhole],
  ["a length with an exponent", length("1e1"), notWhole],
  ["a length with a space", length("5 5"), notWhole],
  ["a length with an underscore", length("5_0"), notWhole],
  ["a length beyond 2**53", length("9007199254740993"), notWhole],
  ["a length beyond 2**64", length("18446744073709551621"), notWhole],
  ["a length in other digits", length("\xb2"), notWhole],
  ["a length beside chunked", `${head}Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`, /beside/],
  ["chunked beside a length", `${head}Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n`, /beside/],
  ["chunked in HTTP/1.0", `HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`, /in HTTP\/1.0/],
  ["chunked twice", `${head}Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`, notChunked],
  ["a list of chunked twice", coding("chunked, chunked"), notChunked],
  ["gzip before chunked", coding("gzip, chunked"), notChunked],
  ["chunked before gzip", coding("chunked, gzip"), notChunked],
  ["gzip in a field of its own", `${head}Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n`, notChunked],
  ["gzip alone", coding("gzip"), notChunked],
  ["identity", coding("identity"), notChunked],
  ["an empty coding", coding(""), notChunked],
  ["a coding with a suffix", coding("xchunked"), notChunked],
  ["a coding with a parameter", coding("chunked;a=b"), notChunked],
  ["a coding in quotes", coding('"chunked"'), notChunked],
  ["a list with an empty element", coding("chunked,"), notChunked],
  ["a coding after a vertical tab", coding("\x0bchunked"), control],
  ["an informational response with a length", `HTTP/1.1 100 OK\r\nContent-Length: 5\r\n\r\n${head}\r\n`, /has a body/],
  ["an informational response with chunks", `HTTP/1.1 103 OK\r\nTransfer-Encoding: chunked\r\n\r\n`, /has a body/],
  ["33 informational responses", "HTTP/1.1 100 Continue\r\n\r\n".repeat(33) + `${head}\r\n`, /more than 32/],

  ["an empty chunk size", chunks("\r\n"), notHex],
  ["a chunk size that only an extension follows", chunks(";a=b\r\n"), notHex],
  ["a chunk size with 0x", chunks("0x5\r\nhello\r\n0\r\n\r\n"), notHex],
  ["a negative chunk size", chunks("-5\r\nhello\r\n0\r\n\r\n"), notHex],
  ["a chunk size with a sign", chunks("+5\r\nhello\r\n0\r\n\r\n"), notHex],
  ["a space before a chunk size", chunks(" 5\r\nhello\r\n0\r\n\r\n"), notHex],
  ["a space after a chunk size", chunks("5 \r\nhello\r\n0\r\n\r\n"), notHex],
  ["a tab after a chunk size", chunks("5\t;a=b\r\nhello\r\n0\r\n\r\n"), notHex],
  ["a chunk size with a letter beyond f", chunks("g\r\n"), notHex],
  ["a chunk size with an underscore", chunks("1_0\r\n"), notHex],
  ["a chunk size that a line feed ends", chunks("5\nhello\r\n0\r\n\r\n"), notHex],
  ["a last chunk that a line feed ends", chunks("5\r\nhello\r\n0\n\r\n"), notHex],
  ["a chunk size beyond 2**53", chunks("20000000000000\r\n"), /too large/],
  ["a chunk size beyond 2**64", chunks("10000000000000005\r\nhello"), /too large/],
  ["a chunk size with 17 digits", chunks("00000000000000005\r\nhello"), /too large/],
  ["a carriage return within a chunk size", chunks("5\r5\r\n"), /chunk size does not end with CRLF/],
  ["a line feed in an extension", chunks("5;a\nhello\r\n0\r\n\r\n"), badExtension],
  ["a carriage return in an extension", chunks("5;a\rX\r\nhello"), /chunk size does not end with CRLF/],
  ["NUL in an extension", chunks("5;\0\r\nhello"), badExtension],
  ["an extension without a name", chunks("5;\r\nhello\r\n0\r\n\r\n"), badExtension],
  ["an extension with two equals signs", chunks("5;a==b\r\nhello\r\n0\r\n\r\n"), badExtension],
  ["an extension without its value", chunks("5;a=\r\nhello\r\n0\r\n\r\n"), badExtension],
  ["an extension with a space", chunks("5; a=b\r\nhello\r\n0\r\n\r\n"), badExtension],
  ["an extension with an open quote", chunks('5;a="b\r\nhello\r\n0\r\n\r\n'), badExtension],
  ["an extension with text after a quote", chunks('5;a="b"c\r\nhello\r\n0\r\n\r\n'), badExtension],
  ["an extension with a line feed in quotes", chunks('5;a="\n"\r\nhello\r\n0\r\n\r\n'), badExtension],
  ["an extension with an escaped carriage return", chunks('5;a="\\\r\n"\r\nhello'), badExtension],
  ["too many extensions", chunks(`1;${"a".repeat(9000)}\r\nx\r\n1;${"b".repeat(9000)}\r\n`), /extensions are larger/],
  ["a chunk that is longer than its size", chunks("3\r\nhello\r\n0\r\n\r\n"), chunkEnd],
  ["a chunk that a line feed ends", chunks("5\r\nhello\n0\r\n\r\n"), chunkEnd],
  ["a chunk that a carriage return ends", chunks("5\r\nhello\rX0\r\n\r\n"), chunkEnd],
  ["a malformed trailer", chunks("0\r\nabc\r\n\r\n"), /line without a colon/],
  ["a folded trailer", chunks("0\r\nX-A: a\r\n b\r\n\r\n"), /folded line/],
  ["a trailer that a line feed ends", chunks("0\r\nX-A: a\n\r\n"), bareFeed],
  ["a line feed as the end of the trailers", chunks("0\r\n\n"), bareFeed],
  ["too many trailers", chunks(`0\r\n${"X-A: b\r\n".repeat(3000)}\r\n`), /trailers are larger/],
  ["a header above the limit", `${head}X-A: ${"a".repeat(17_000)}\r\n\r\n`, /header is larger than 16384 bytes/],
  ["a header without an end", `${head}X-A: ${"a".repeat(17_000)}`, /header is larger than 16384 bytes/],
  ["a reason above the limit", `HTTP/1.1 200 ${"a".repeat(17_000)}`, /header is larger than 16384 bytes/],
  [
    "informational responses above the limit",
    `HTTP/1.1 103 OK\r\nX: ${"a".repeat(9000)}\r\n\r\n`.repeat(2),
    /header is larger/,
  ],
];
