//! Azure's keys with a checksum (github.com/microsoft/security-utilities: `IdentifiableMetadata.cs`, `IdentifiableSecrets.cs`,
//! `LegacyCommonAnnotatedSecurityKey.cs`, `SEC101_102_AdoPat.cs`).

use super::crc32::{base62, crc32};
use super::marvin::marvin32;
use super::{Answer, FactName, decode_base64, decode_lenient, last_word, sas};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// Which form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Base64 of random bytes, a signature of four characters and a Marvin32 of all that.
    Identifiable,
    /// A common annotated security key, 84 or 88 characters with `JQQJ99`.
    Cask,
    /// A client secret of Entra, 40 characters with `8Q~`.
    ClientSecret,
    /// An old access token of Azure DevOps: 52 characters of base32.
    DevOps,
    /// The `sig` of a shared access signature.
    Sas,
}

/// Seed and scope for each use of a signature.
type Seeds = &'static [(u64, &'static str)];

const MESSAGING: Seeds = &[(0x5365_6e64_3030_3030, "send"), (0x4c69_7374_656e_3030, "listen"), (0x4d61_6e61_6765_3030, "manage")];

/// Signature, service, seeds.
const SIGNATURES: [(&str, &str, Seeds); 12] = [
    ("+ASt", "Azure Storage", &[(0x4465_6661_756c_7430, "")]),
    ("ACDb", "Azure Cosmos DB", &[(0x4d61_7374_5257_3030, "read and write"), (0x4d61_7374_524f_3030, "read")]),
    (
        "AzFu",
        "Azure Functions",
        &[(0x4675_6e63_7469_3030, "function"), (0x4d61_7374_6572_3030, "master"), (0x5379_7374_656d_3030, "system")],
    ),
    ("+ACR", "Azure Container Registry", &[(0x4143_5244_666c_7430, "")]),
    ("AzCa", "Azure Cache for Redis", &[(0x4163_6365_7373_3030, "")]),
    ("AzSe", "Azure AI Search", &[(0x5041_646d_696e_3030, "admin"), (0x5175_6572_7930_3030, "query")]),
    ("+ABa", "Azure Batch", &[(0x4162_4163_6374_3030, "")]),
    ("+ASb", "Azure Service Bus", MESSAGING),
    ("+AEh", "Azure Event Hubs", MESSAGING),
    ("+ARm", "Azure Relay", MESSAGING),
    ("AIoT", "Azure IoT", &[(0x496f_5448_7562_3030, "hub"), (0x4470_734b_6579_3030, "provisioning"), (0x4465_7669_6365_3030, "device")]),
    (
        "APIM",
        "Azure API Management",
        &[
            (0x5465_6e61_6e74_3030, "tenant"),
            (0x496f_5448_7562_3030, ""),
            (0x4761_7465_7779_3030, "gateway"),
            (0x4769_744b_6579_3030, "git"),
        ],
    ),
];

/// The services that the signature of a CASK key names.
const CASK_SERVICES: [(&str, &str); 10] = [
    ("AZDO", "Azure DevOps"),
    ("ACOG", "Azure AI services"),
    ("AZAC", "Azure App Configuration"),
    ("AZFR", "Azure Fluid Relay"),
    ("AZEG", "Azure Event Grid"),
    ("AZMP", "Azure Maps"),
    ("AZCS", "Azure Communication Services"),
    ("AZMR", "Azure Mixed Reality"),
    ("AZCR", "Azure Container Registry"),
    ("msql", "Azure SQL"),
];

const CASK_SEED: u64 = 0x4465_6661_756c_7430;
const CLIENT_SECRET_SEED: u64 = 0x4161_6450_7764_3030;

impl Kind {
    /// The one with this name.
    pub fn parse(name: &str) -> Option<Kind> {
        Some(match name {
            "azure-key" => Kind::Identifiable,
            "azure-cask" => Kind::Cask,
            "azure-client-secret" => Kind::ClientSecret,
            "azure-devops" => Kind::DevOps,
            "azure-sas" => Kind::Sas,
            _ => return None,
        })
    }

    /// Looks at a key; `around` is what the rule matched, of which a shared access signature tells.
    pub fn check(self, value: &[u8], around: &[u8]) -> Answer {
        match self {
            Kind::Identifiable => identifiable(value),
            Kind::Cask => cask(value),
            Kind::ClientSecret => client_secret(value),
            Kind::DevOps => devops(value),
            Kind::Sas => sas::check(value, around),
        }
    }

    /// The end of a key that begins with `before`.
    pub fn checksum(self, before: &str) -> Option<String> {
        match self {
            Kind::Identifiable => identifiable_end(last_word(before, "+/_-")),
            Kind::Cask => cask_sums(last_word(before, "+/_-").as_bytes()).map(|[now, _]| now),
            Kind::ClientSecret => Some(client_secret_sum(last_word(before, "_~.-").as_bytes())),
            Kind::DevOps | Kind::Sas => None,
        }
    }
}

fn identifiable(key: &[u8]) -> Answer {
    let digits = key.iter().rposition(|b| *b != b'=').map_or(0, |last| last + 1);
    let signature = digits.checked_sub(10).and_then(|at| key.get(at..at + 4));
    let Some((_, service, seeds)) = SIGNATURES.iter().find(|(known, ..)| signature == Some(known.as_bytes())) else {
        // Keys of before the signatures.
        return if decode_base64(key).is_some() { Answer::unknown() } else { Answer::invalid("the base64 does not decode") };
    };
    let decoded = decode_lenient(key).unwrap_or_default();
    let Some((data, sum)) = decoded.split_last_chunk::<4>() else { return Answer::unknown() };
    let seed = seeds.iter().find(|(seed, _)| marvin32(data, *seed).to_le_bytes() == *sum);
    Answer::checksum(seed.is_some()).with(FactName::Service, service).with_some(FactName::Scope, seed.map(|(_, scope)| scope))
}

/// What `before` leaves open of its last byte is zero; four bytes of the sum follow.
fn identifiable_end(before: &str) -> Option<String> {
    let (_, _, seeds) = SIGNATURES.iter().find(|(signature, ..)| before.ends_with(signature))?;
    let mut data = decode_lenient(format!("{before}{}", &"AAA"[..(4 - before.len() % 4) % 4]).as_bytes())?;
    data.truncate((before.len() * 6).div_ceil(8));
    let sum = marvin32(&data, seeds.first()?.0);
    data.extend(sum.to_le_bytes());
    STANDARD.encode(data).get(before.len()..).map(str::to_owned)
}

/// The sum over the first 80 characters, as it is now and as it was.
fn cask_sums(key: &[u8]) -> Option<[String; 2]> {
    let sum = marvin32(&decode_lenient(key.get(..80)?)?, CASK_SEED);
    let mut now = base62(sum.swap_bytes(), 6);
    now.truncate(4);
    Some([now, STANDARD.encode(&sum.to_le_bytes()[..3])])
}

fn cask(key: &[u8]) -> Answer {
    let (Some(sums), Some(sum)) = (cask_sums(key), key.get(80..84)) else { return Answer::unknown() };
    let mut answer = Answer::checksum(sums.iter().any(|known| known.as_bytes() == sum));
    let service = CASK_SERVICES.iter().find(|(signature, _)| key.get(76..80) == Some(signature.as_bytes()));
    answer = answer.with_some(FactName::Service, service.map(|(_, service)| service));
    match key.get(58..60) {
        Some([year @ b'A'..=b'Z', month @ b'A'..=b'L']) => {
            answer.with(FactName::Issued, format!("{}-{:02}", 2024 + u32::from(year - b'A'), month - b'A' + 1))
        }
        _ => answer,
    }
}

fn client_secret_sum(before: &[u8]) -> String {
    const DIGITS: &[u8; 66] = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ1234567890.-_~";
    let mut sum = marvin32(before, CLIENT_SECRET_SEED);
    let mut digits = [b'a'; 6];
    for digit in digits.iter_mut().rev() {
        *digit = DIGITS[(sum % 66) as usize];
        sum /= 66;
    }
    digits.iter().take(3).map(|digit| char::from(*digit)).collect()
}

fn client_secret(secret: &[u8]) -> Answer {
    match secret.split_last_chunk::<3>() {
        Some((before, sum)) if secret.len() == 40 && before.get(3..6) == Some(b"8Q~") => {
            Answer::checksum(client_secret_sum(before).as_bytes() == sum)
        }
        _ => Answer::unknown(),
    }
}

fn devops(token: &[u8]) -> Answer {
    let Some(bytes) = base32(token) else { return Answer::invalid("not the alphabet of Azure DevOps tokens") };
    let parts = (bytes.get(0..2), bytes.get(3..7), bytes.get(9..22), bytes.get(23..32));
    let (Some(a), Some(b), Some(c), Some(d)) = parts else { return Answer::unknown() };
    let sum = u32::from_le_bytes([bytes[22], bytes[8], bytes[7], bytes[2]]) ^ crc32(&[a, b, c, d].concat());
    let scope = match sum {
        0xe0b9_692d => "user",
        0x1019_f92e => "application",
        _ => return Answer::checksum(false),
    };
    Answer::checksum(true).with(FactName::Scope, scope)
}

/// Base32 of RFC 4648 in either case; what is left over is dropped.
fn base32(text: &[u8]) -> Option<Vec<u8>> {
    let (mut bits, mut count, mut bytes) = (0u32, 0, Vec::new());
    for byte in text {
        let digit = match byte.to_ascii_lowercase() {
            letter @ b'a'..=b'z' => letter - b'a',
            digit @ b'2'..=b'7' => digit - b'2' + 26,
            _ => return None,
        };
        bits = (bits & 0xff) << 5 | u32::from(digit);
        count += 5;
        if count >= 8 {
            count -= 8;
            bytes.push((bits >> count) as u8);
        }
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::check::Outcome;

    fn valid(kind: Kind, key: &str) -> bool {
        matches!(kind.check(key.as_bytes(), b"").outcome, Outcome::Valid(_))
    }

    #[test]
    fn identifiable_keys_of_each_length() {
        for (length, signature, scope) in
            [(76, "+ASt", None), (44, "AzFu", Some("function")), (42, "+ACR", None), (33, "AIoT", Some("hub"))]
        {
            let before = format!("{}{signature}", &"qZ7x".repeat(30)[..length]);
            let key = format!("{before}{}", Kind::Identifiable.checksum(&before).unwrap());
            assert_eq!(key.trim_end_matches('=').len(), length + 10);
            let answer = Kind::Identifiable.check(key.as_bytes(), b"");
            assert!(matches!(answer.outcome, Outcome::Valid(_)), "{signature}");
            assert_eq!(answer.fact(FactName::Scope), scope);
            assert!(!valid(Kind::Identifiable, &key.replacen('q', "r", 1)));
        }
        let older = STANDARD.encode([7; 64]);
        assert_eq!([identifiable(b""), identifiable(older.as_bytes())], [Answer::unknown(), Answer::unknown()]);
        assert!(!valid(Kind::Identifiable, "====") && !valid(Kind::Identifiable, &"a".repeat(87)));
    }

    #[test]
    fn annotated_keys() {
        let before = format!("{}JQQJ99{}", "aB3d".repeat(13), "BFACAAAAALGcqjAAASAZDO");
        assert_eq!(before.len(), 80);
        let answer = cask(format!("{before}{}", Kind::Cask.checksum(&before).unwrap()).as_bytes());
        assert!(matches!(answer.outcome, Outcome::Valid(_)));
        assert_eq!([FactName::Service, FactName::Issued].map(|name| answer.fact(name)), [Some("Azure DevOps"), Some("2025-06")]);
        assert!(!valid(Kind::Cask, &format!("{before}0000")) && !valid(Kind::Cask, &before));
    }

    #[test]
    fn client_secrets() {
        let before = format!("abc8Q~{}", "xY9-".repeat(8))[..37].to_owned();
        let sum = Kind::ClientSecret.checksum(&before).unwrap();
        assert!(valid(Kind::ClientSecret, &format!("{before}{sum}")));
        assert!(!valid(Kind::ClientSecret, &format!("{before}___")));
        assert_eq!(client_secret(b"abc7Q~"), Answer::unknown());
    }

    #[test]
    fn tokens_of_devops() {
        let mut bytes = [0x5a; 32];
        let sum = crc32(&[&bytes[0..2], &bytes[3..7], &bytes[9..22], &bytes[23..32]].concat()) ^ 0xe0b9_692d;
        [bytes[22], bytes[8], bytes[7], bytes[2]] = sum.to_le_bytes();
        let bit = |at: usize| bytes.get(at / 8).map_or(0, |byte| byte >> (7 - at % 8) & 1);
        let digit = |at: usize| (0..5).fold(0, |digit, n| digit << 1 | bit(at * 5 + n));
        let token: String = (0..52).map(|at| char::from(b"abcdefghijklmnopqrstuvwxyz234567"[usize::from(digit(at))])).collect();
        assert_eq!(devops(token.as_bytes()).fact(FactName::Scope), Some("user"));
        assert!(!valid(Kind::DevOps, &"a".repeat(52)) && !valid(Kind::DevOps, "1"));
        assert_eq!(devops(b"aa"), Answer::unknown());
    }
}
