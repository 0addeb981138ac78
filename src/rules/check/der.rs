//! Private keys in DER: PKCS#1 (RFC 8017), SEC 1 (RFC 5915), DSA as OpenSSL writes it, PKCS#8 (RFC 5958) and its encrypted form.

use super::product::is_product;

/// Tags of ASN.1.
const INTEGER: u8 = 0x02;
const OCTETS: u8 = 0x04;
const OBJECT: u8 = 0x06;
const SEQUENCE: u8 = 0x30;

/// What DER holds.
#[derive(Debug, PartialEq, Eq)]
pub enum Key {
    /// A key whose numbers fit; of which kind.
    Whole(String),
    /// An RSA key whose modulus is not the product of its primes.
    Wrong(String),
    /// An encrypted one; by which method.
    Encrypted(String),
}

/// Object identifiers of algorithms, curves and methods, as in DER, and their names.
const OBJECTS: [(&[u8], &str); 30] = [
    (b"\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01", "RSA"),
    (b"\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0a", "RSA-PSS"),
    (b"\x2a\x86\x48\xce\x3d\x02\x01", "EC"),
    (b"\x2a\x86\x48\xce\x38\x04\x01", "DSA"),
    (b"\x2a\x86\x48\x86\xf7\x0d\x01\x03\x01", "DH"),
    (b"\x2b\x65\x6e", "X25519"),
    (b"\x2b\x65\x6f", "X448"),
    (b"\x2b\x65\x70", "Ed25519"),
    (b"\x2b\x65\x71", "Ed448"),
    (b"\x60\x86\x48\x01\x65\x03\x04\x03\x11", "ML-DSA-44"),
    (b"\x60\x86\x48\x01\x65\x03\x04\x03\x12", "ML-DSA-65"),
    (b"\x60\x86\x48\x01\x65\x03\x04\x03\x13", "ML-DSA-87"),
    (b"\x60\x86\x48\x01\x65\x03\x04\x04\x01", "ML-KEM-512"),
    (b"\x60\x86\x48\x01\x65\x03\x04\x04\x02", "ML-KEM-768"),
    (b"\x60\x86\x48\x01\x65\x03\x04\x04\x03", "ML-KEM-1024"),
    (b"\x2a\x86\x48\xce\x3d\x03\x01\x01", "P-192"),
    (b"\x2b\x81\x04\x00\x21", "P-224"),
    (b"\x2a\x86\x48\xce\x3d\x03\x01\x07", "P-256"),
    (b"\x2b\x81\x04\x00\x22", "P-384"),
    (b"\x2b\x81\x04\x00\x23", "P-521"),
    (b"\x2b\x81\x04\x00\x0a", "secp256k1"),
    (b"\x2b\x24\x03\x03\x02\x08\x01\x01\x07", "brainpoolP256r1"),
    (b"\x2b\x24\x03\x03\x02\x08\x01\x01\x0b", "brainpoolP384r1"),
    (b"\x2b\x24\x03\x03\x02\x08\x01\x01\x0d", "brainpoolP512r1"),
    (b"\x2a\x81\x1c\xcf\x55\x01\x82\x2d", "SM2"),
    (b"\x2a\x86\x48\x86\xf7\x0d\x01\x05\x0d", "PBES2"),
    (b"\x2a\x86\x48\x86\xf7\x0d\x01\x05\x03", "PBE with MD5 and DES"),
    (b"\x2a\x86\x48\x86\xf7\x0d\x01\x0c\x01\x03", "PBE with SHA-1 and 3DES"),
    (b"\x2a\x86\x48\x86\xf7\x0d\x01\x0c\x01\x06", "PBE with SHA-1 and RC2"),
    (b"\x2a\x86\x48\x86\xf7\x0d\x01\x0c\x01\x05", "PBE with SHA-1 and RC2"),
];

/// The elements of a sequence, one after the other.
#[derive(Clone, Copy)]
struct Elements<'a>(&'a [u8]);

impl<'a> Elements<'a> {
    /// The next one, whatever it is; none at the end and where the length does not fit.
    fn next(&mut self) -> Option<(u8, &'a [u8])> {
        let [tag, first, rest @ ..] = self.0 else { return None };
        let (length, rest) = match first {
            0..=0x7f => (usize::from(*first), rest),
            0x81..=0x83 => {
                let (digits, rest) = rest.split_at_checked(usize::from(first & 3))?;
                (digits.iter().fold(0, |length, digit| length << 8 | usize::from(*digit)), rest)
            }
            _ => return None,
        };
        let (content, rest) = rest.split_at_checked(length)?;
        self.0 = rest;
        Some((*tag, content))
    }

    /// The next one, which has this tag.
    fn take(&mut self, tag: u8) -> Option<&'a [u8]> {
        self.next().filter(|(found, _)| *found == tag).map(|(_, content)| content)
    }

    /// The next integer, without leading zeros.
    fn number(&mut self) -> Option<&'a [u8]> {
        let number = self.take(INTEGER)?;
        Some(&number[number.iter().position(|b| *b != 0).unwrap_or(number.len())..])
    }
}

/// The key that `der` begins with; none if it is no key, or is not whole.
pub fn parse(der: &[u8]) -> Option<Key> {
    let mut elements = Elements(Elements(der).take(SEQUENCE)?);
    match elements.next()? {
        (SEQUENCE, method) => {
            elements.take(OCTETS)?;
            Some(Key::Encrypted(object(Elements(method).take(OBJECT)?)))
        }
        (INTEGER, [0 | 1]) => match elements.next()? {
            (SEQUENCE, algorithm) => pkcs8(algorithm, elements.take(OCTETS)?),
            _ => bare(der),
        },
        _ => None,
    }
}

/// A key that does not name its algorithm: PKCS#1, SEC 1, DSA.
fn bare(der: &[u8]) -> Option<Key> {
    let mut elements = Elements(Elements(der).take(SEQUENCE)?);
    let version = elements.take(INTEGER)?;
    match (version, elements.clone().next()?) {
        ([1], (OCTETS, secret)) if !secret.is_empty() => {
            elements.next()?;
            let curve = elements.take(0xa0).and_then(|parameters| Elements(parameters).take(OBJECT));
            Some(Key::Whole(curve.map_or("EC".to_owned(), |curve| format!("EC {}", object(curve)))))
        }
        ([0 | 1], (INTEGER, _)) => numbers(elements, version == [1]),
        _ => None,
    }
}

/// PKCS#1 has eight integers behind the version, DSA five.
fn numbers(mut elements: Elements, many_primes: bool) -> Option<Key> {
    let mut integers = Vec::new();
    while integers.len() < 8
        && let Some(integer) = elements.number()
    {
        integers.push(integer);
    }
    match integers[..] {
        [modulus, _, _, p, q, _, _, _] => {
            let name = format!("RSA {} bit", bits(modulus));
            // More than two primes: the version says so.
            let fits = many_primes || is_product(modulus, p, q).unwrap_or(true);
            Some(if fits { Key::Whole(name) } else { Key::Wrong(name) })
        }
        [p, _, _, _, _] if elements.0.is_empty() => Some(Key::Whole(format!("DSA {} bit", bits(p)))),
        _ => None,
    }
}

fn pkcs8(algorithm: &[u8], key: &[u8]) -> Option<Key> {
    let mut algorithm = Elements(algorithm);
    let name = object(algorithm.take(OBJECT)?);
    if key.is_empty() {
        return None;
    }
    match &name[..] {
        "RSA" | "RSA-PSS" => bare(key),
        "EC" => {
            let curve = algorithm.take(OBJECT).map(|curve| format!("EC {}", object(curve)));
            bare(key).map(|key| curve.map_or(key, Key::Whole))
        }
        _ => Some(Key::Whole(name)),
    }
}

/// The length of a number in bits.
pub fn bits(number: &[u8]) -> usize {
    let first = number.iter().position(|b| *b != 0).unwrap_or(number.len());
    number[first..].first().map_or(0, |top| (number.len() - first) * 8 - top.leading_zeros() as usize)
}

/// The name of an object identifier, or its numbers.
fn object(der: &[u8]) -> String {
    if let Some((_, name)) = OBJECTS.iter().find(|(known, _)| *known == der) {
        return (*name).to_owned();
    }
    let mut arcs = Vec::new();
    let mut arc = 0u32;
    for byte in der.iter().take(32) {
        arc = arc << 7 | u32::from(byte & 0x7f);
        if byte & 0x80 == 0 {
            if arcs.is_empty() {
                let root = (arc / 40).min(2);
                arcs.push(root.to_string());
                arc -= root * 40;
            }
            arcs.push(arc.to_string());
            arc = 0;
        }
    }
    arcs.join(".")
}

#[cfg(test)]
pub mod tests {
    use super::*;
    use crate::rules::check::fake::element;

    fn integer(number: u128) -> Vec<u8> {
        element(INTEGER, &number.to_be_bytes())
    }

    /// PKCS#1 with two primes and their product.
    pub fn rsa(modulus: u128) -> Vec<u8> {
        let numbers = [0, modulus, 65537, 7, 0xffff_fffb, 0xffff_ffef, 3, 3, 3];
        element(SEQUENCE, &numbers.map(|n| if n == 0 { vec![2, 1, 0] } else { integer(n) }).concat())
    }

    pub const MODULUS: u128 = 0xffff_fffb * 0xffff_ffef;

    #[test]
    fn rsa_keys() {
        let key = rsa(MODULUS);
        assert_eq!(parse(&key), Some(Key::Whole("RSA 64 bit".to_owned())));
        assert_eq!(parse(&rsa(MODULUS + 2)), Some(Key::Wrong("RSA 64 bit".to_owned())));
        let wrapped = |object: &[u8], key: &[u8]| {
            let algorithm = element(SEQUENCE, &[element(OBJECT, object), vec![5, 0]].concat());
            element(SEQUENCE, &[vec![2, 1, 0], algorithm, element(OCTETS, key)].concat())
        };
        assert_eq!(parse(&wrapped(OBJECTS[0].0, &key)), Some(Key::Whole("RSA 64 bit".to_owned())));
        assert_eq!(parse(&wrapped(OBJECTS[0].0, b"x")), None);
        assert_eq!(parse(&wrapped(b"\x2b\x65\x70", &[4; 34])), Some(Key::Whole("Ed25519".to_owned())));
        assert_eq!(parse(&wrapped(b"\x2a\x03\x81\x00", &[4; 34])), Some(Key::Whole("1.2.3.128".to_owned())));
        for cut in 0..key.len() {
            assert_eq!(parse(&key[..cut]), None);
        }
    }

    #[test]
    fn others() {
        let curve = element(0xa0, &element(OBJECT, b"\x2b\x81\x04\x00\x22"));
        let sec1 = element(SEQUENCE, &[vec![2, 1, 1], element(OCTETS, &[7; 48]), curve].concat());
        assert_eq!(parse(&sec1), Some(Key::Whole("EC P-384".to_owned())));
        let dsa = element(SEQUENCE, &[vec![2, 1, 0], [MODULUS, 5, 5, 5, 5].map(integer).concat()].concat());
        assert_eq!(parse(&dsa), Some(Key::Whole("DSA 64 bit".to_owned())));
        let method = element(SEQUENCE, &element(OBJECT, b"\x2a\x86\x48\x86\xf7\x0d\x01\x05\x0d"));
        let encrypted = element(SEQUENCE, &[method, element(OCTETS, &[7; 48])].concat());
        assert_eq!(parse(&encrypted), Some(Key::Encrypted("PBES2".to_owned())));
        for junk in [&b""[..], b"\x30", b"\x30\x80", b"\x30\x84\xff\xff\xff\xff", b"\x30\x83\xff\xff\xff", &[0x30, 3, 2, 1, 0]] {
            assert_eq!(parse(junk), None);
        }
        assert_eq!(object(&[0xff; 40]), "");
        assert_eq!([bits(&[]), bits(&[0, 1]), bits(&[0x80, 0])], [0, 1, 16]);
    }
}
