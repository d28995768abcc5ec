// Copyright 2026 the Sluice authors. MIT license.

/**
 * The names in a certificate (RFC 5280), parsed from the certificate itself: the runtimes format
 * them differently, and some of these formats can be forged, as CVE-2021-44532 and CVE-2021-44533
 * show.
 */
import { literalOf } from "../internal.ts";
import { IpAddress } from "../mod.ts";
import { booleanTag, type DerElement, DerReader, octetsTag, oidTag, oidText, sequenceTag, setTag } from "./_der.ts";

/** The subject, issuer and alternative names of a certificate. */
export interface CertificateNames {
  readonly subject: string;
  readonly issuer: string;
  /** The host names that it is valid for. */
  readonly hosts: readonly string[];
  /** The IP addresses that it is valid for. */
  readonly addresses: readonly string[];
}

const versionTag = 0xa0;
const extensionsTag = 0xa3;
const dnsNameTag = 0x82;
const ipAddressTag = 0x87;
const alternativeNames = "2.5.29.17";

/** The short names of attribute types: those of RFC 4514, and OpenSSL's for the others. */
const attributeTypes: Readonly<Record<string, string>> = {
  "2.5.4.3": "CN",
  "2.5.4.4": "SN",
  "2.5.4.5": "serialNumber",
  "2.5.4.6": "C",
  "2.5.4.7": "L",
  "2.5.4.8": "ST",
  "2.5.4.9": "street",
  "2.5.4.10": "O",
  "2.5.4.11": "OU",
  "2.5.4.12": "title",
  "2.5.4.15": "businessCategory",
  "2.5.4.17": "postalCode",
  "2.5.4.42": "GN",
  "2.5.4.43": "initials",
  "2.5.4.46": "dnQualifier",
  "2.5.4.65": "pseudonym",
  "2.5.4.97": "organizationIdentifier",
  "0.9.2342.19200300.100.1.1": "UID",
  "0.9.2342.19200300.100.1.25": "DC",
  "1.2.840.113549.1.9.1": "emailAddress",
  "1.3.6.1.4.1.311.60.2.1.1": "jurisdictionL",
  "1.3.6.1.4.1.311.60.2.1.2": "jurisdictionST",
  "1.3.6.1.4.1.311.60.2.1.3": "jurisdictionC",
};

/** The decoders of ASN.1 string types, by tag. */
const decoders: Readonly<Record<number, (bytes: Uint8Array) => string>> = {
  0x0c: (bytes) => new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes), // UTF8String
  0x12: latin1, // NumericString
  0x13: latin1, // PrintableString
  0x14: latin1, // TeletexString
  0x16: latin1, // IA5String
  0x1a: latin1, // VisibleString
  0x1c: (bytes) => codePoints(bytes, 4), // UniversalString
  0x1e: (bytes) => codePoints(bytes, 2), // BMPString
};

/** Characters that RFC 4514 escapes with a backslash: some only at the beginning or end. */
const special = /[\\",+;<>]|^[ #]| $/g;

/** Invisible characters, and those that reorder others. */
const unprintable = /[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Zl}\p{Zp}]/gu;

/**
 * Parses the names in a certificate.
 *
 * @param der The certificate, DER-encoded.
 * @throws {SyntaxError} If it is malformed.
 */
export function readCertificateNames(der: Uint8Array): CertificateNames {
  const body = new DerReader(der).inside(sequenceTag).inside(sequenceTag);
  if (body.peekTag() === versionTag) body.next();
  body.next(); // the serial number
  body.next(); // the algorithm of the signature
  const issuer = readName(body.inside(sequenceTag));
  body.next(); // the validity
  const subject = readName(body.inside(sequenceTag));
  return { subject, issuer, ...readAlternativeNames(body) };
}

/**
 * Reports whether a certificate is valid for a server (RFC 9525, section 6). A `*` matches the
 * whole first label of a host name; the subject is not used.
 *
 * @param serverName A host name without a trailing dot, or an IP address.
 */
export function isFor({ hosts, addresses }: CertificateNames, serverName: string): boolean {
  const address = literalOf(serverName);
  if (address !== undefined) return addresses.includes(String(address));
  const name = serverName.toLowerCase();
  const [first] = name.split(".", 1);
  return hosts.some((host) => {
    const pattern = host.toLowerCase().replace(/\.$/, "");
    return pattern === name || (first !== "" && pattern === `*${name.slice(first.length)}` && pattern.length > 2);
  });
}

/** Returns a name, one line per part, with the attributes of one part joined: `L=b + OU=a`. */
function readName(name: DerReader): string {
  const lines: string[] = [];
  while (!name.atEnd) {
    const part = name.inside(setTag);
    const values: string[] = [];
    while (!part.atEnd) {
      const attribute = part.inside(sequenceTag);
      const type = oidText(attribute.next(oidTag).content);
      values.push(
        `${Object.hasOwn(attributeTypes, type) ? attributeTypes[type] : type}=${valueText(attribute.next())}`,
      );
    }
    lines.push(values.join(" + "));
  }
  return lines.join("\n");
}

/** Returns a value as in RFC 4514, section 2.4: anything but text in hexadecimal. */
function valueText({ tag, content }: DerElement): string {
  try {
    if (Object.hasOwn(decoders, tag)) return escapeValue(decoders[tag](content));
  } catch {
    // It is not encoded as its tag says.
  }
  return `#${[tag, content.length, ...content].map(hex).join("")}`;
}

function escapeValue(text: string): string {
  return text.replace(special, "\\$&").replace(unprintable, (char) => {
    return [...new TextEncoder().encode(char)].map((byte) => `\\${hex(byte)}`).join("");
  });
}

function hex(byte: number): string {
  return byte.toString(16).toUpperCase().padStart(2, "0");
}

function latin1(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => String.fromCharCode(byte)).join("");
}

/** Decodes big-endian code points of `size` bytes. */
function codePoints(bytes: Uint8Array, size: 2 | 4): string {
  if (bytes.length % size !== 0) throw new SyntaxError("Cannot read text: a character is truncated");
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const chars: string[] = [];
  for (let at = 0; at < bytes.length; at += size) {
    const code = size === 2 ? view.getUint16(at) : view.getUint32(at);
    if (code >= 0xd800 && code < 0xe000) throw new SyntaxError("Cannot read text: it has surrogates");
    chars.push(String.fromCodePoint(code));
  }
  return chars.join("");
}

/** Parses the subjectAltName extension, if there is one. */
function readAlternativeNames(body: DerReader): Pick<CertificateNames, "hosts" | "addresses"> {
  const hosts: string[] = [];
  const addresses: string[] = [];
  while (!body.atEnd && body.peekTag() !== extensionsTag) body.next();
  const extensions = body.atEnd ? body : body.inside(extensionsTag).inside(sequenceTag);
  while (!extensions.atEnd) {
    const extension = extensions.inside(sequenceTag);
    if (oidText(extension.next(oidTag).content) !== alternativeNames) continue;
    if (extension.peekTag() === booleanTag) extension.next();
    const names = new DerReader(extension.next(octetsTag).content).inside(sequenceTag);
    while (!names.atEnd) {
      const { tag, content } = names.next();
      if (tag === dnsNameTag) hosts.push(latin1(content));
      if (tag === ipAddressTag && (content.length === 4 || content.length === 16)) {
        addresses.push(String(IpAddress.fromBytes(content)));
      }
    }
  }
  return { hosts, addresses };
}
