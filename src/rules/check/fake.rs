//! Secrets for the examples of rules: well-formed, so that checks pass, and worthless. Bytes come from the caller.

use super::openssh::MAGIC;
use super::product::product;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// Gives so many random bytes.
pub type Random<'a> = &'a mut dyn FnMut(usize) -> Vec<u8>;

const INTEGER: u8 = 0x02;
const OCTETS: u8 = 0x04;
const SEQUENCE: u8 = 0x30;

/// Object identifiers with their heads.
const P256: &[u8] = b"\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07";
const ED25519: &[u8] = b"\x06\x03\x2b\x65\x70";
const PBES2: &[u8] = b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x05\x0d";

/// One element of DER; content of up to 64 KiB.
pub fn element(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = content.len();
    let mut der = vec![tag];
    match length {
        0..=0x7f => der.push(length as u8),
        0x80..=0xff => der.extend([0x81, length as u8]),
        _ => der.extend([0x82, (length >> 8) as u8, length as u8]),
    }
    der.extend(content);
    der
}

/// What stands in a PEM block of this label; where it is not one of a private key, only a sequence of random bytes.
pub fn key(label: &str, random: Random) -> Vec<u8> {
    let mut integer = |bytes: usize| element(INTEGER, &[&[0, 0xc0][..], &random(bytes - 1)].concat());
    match label {
        "RSA PRIVATE KEY" => {
            let (p, q) = (integer(64), integer(64));
            let n = element(INTEGER, &[vec![0], product(&p[2..], &q[2..])].concat());
            let e = element(INTEGER, &[1, 0, 1]);
            let rest = [integer(127), p, q, integer(63), integer(63), integer(63)].concat();
            element(SEQUENCE, &[vec![2, 1, 0], n, e, rest].concat())
        }
        "DSA PRIVATE KEY" => {
            let numbers = [integer(128), integer(20), integer(128), integer(128), integer(20)].concat();
            element(SEQUENCE, &[vec![2, 1, 0], numbers].concat())
        }
        "EC PRIVATE KEY" => element(SEQUENCE, &[vec![2, 1, 1], element(OCTETS, &random(32)), element(0xa0, P256)].concat()),
        "PRIVATE KEY" | "ANY PRIVATE KEY" => {
            let secret = element(OCTETS, &element(OCTETS, &random(32)));
            element(SEQUENCE, &[vec![2, 1, 0], element(SEQUENCE, ED25519), secret].concat())
        }
        "ENCRYPTED PRIVATE KEY" => element(SEQUENCE, &[element(SEQUENCE, PBES2), element(OCTETS, &random(144))].concat()),
        "OPENSSH PRIVATE KEY" => openssh(&random(64)),
        _ => element(SEQUENCE, &random(256)),
    }
}

/// An Ed25519 key of OpenSSH without a passphrase; 64 random bytes.
pub fn openssh(random: &[u8]) -> Vec<u8> {
    let string = |bytes: &[u8]| [&(bytes.len() as u32).to_be_bytes()[..], bytes].concat();
    let half = &random[random.len() / 2..];
    let public = [string(b"ssh-ed25519"), string(half)].concat();
    let check = &half[..half.len().min(4)];
    let mut private = [check, check, &public, &string(random), &string(b"ci@build.example")].concat();
    private.extend((1..=8u8).take((8 - private.len() % 8) % 8));
    [MAGIC, &string(b"none"), &string(b"none"), &string(b""), &[0, 0, 0, 1], &string(&public), &string(&private)].concat()
}

/// A token of the package index at `host`: a location, an identifier, one caveat, a signature.
pub fn macaroon(host: &str, random: Random) -> String {
    let packet = |kind: u8, data: &[u8]| [&[kind, data.len() as u8][..], data].concat();
    let caveat = packet(2, br#"{"version": 1, "permissions": "user"}"#);
    let (identifier, signature) = (packet(2, &random(36)), packet(6, &random(32)));
    let bytes = [&[2][..], &packet(1, host.as_bytes()), &identifier, &[0], &caveat, &[0, 0], &signature].concat();
    format!("pypi-{}", URL_SAFE_NO_PAD.encode(bytes))
}
