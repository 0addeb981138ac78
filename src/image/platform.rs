//! Platforms: what an image is for, and what a person asks for (OCI image-spec, image-index.md; Go's names of systems and architectures).

use super::json;
use crate::text::cut;
use serde_json::Value;
use std::fmt;

/// Parts that are longer are none, and are cut. In bytes.
const LONGEST: usize = 64;

/// Go's names, as far as images have them: what else an image says is not repeated where nobody looked for secrets in it.
const USUAL: &str = "linux windows darwin freebsd android wasip1 wasi js unknown amd64 386 arm arm64 ppc64le ppc64 s390x riscv64 mips64le \
    mips64 mips mipsle loong64 wasm v5 v6 v7 v8 v1 v2 v3 v4 v9 netbsd openbsd solaris illumos aix dragonfly plan9 ios sparc64 riscv";

/// What an image is for. What is not known fits everything.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Platform {
    /// `linux`, `windows`.
    pub os: Option<String>,
    /// `amd64`, `arm64`.
    pub architecture: Option<String>,
    /// `v7`.
    pub variant: Option<String>,
}

impl Platform {
    /// What a config (or a platform in a descriptor) says; none if it says nothing.
    pub fn of(document: &Value) -> Option<Platform> {
        let part = |key| json::text(document, key).filter(|text| !text.is_empty()).map(|text| cut(text, LONGEST).into_owned());
        let platform = Platform { os: part("os"), architecture: part("architecture"), variant: part("variant") };
        (platform != Platform::default()).then_some(platform)
    }

    /// `os[/architecture[/variant]]`, in whatever case, also with other usual names of architectures.
    pub fn parse(text: &str) -> Option<Platform> {
        let mut parts = text.split('/').map(str::to_owned);
        let platform = Platform { os: parts.next(), architecture: parts.next(), variant: parts.next() };
        let known = |part: &Option<String>| {
            part.as_ref().is_none_or(|p| !p.is_empty() && p.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b)))
        };
        let all = [&platform.os, &platform.architecture, &platform.variant];
        (parts.next().is_none() && all.into_iter().all(known)).then_some(platform)
    }

    /// Whether an image for this platform is one for `wanted`: they do not differ in what both say.
    pub fn fits(&self, wanted: &Platform) -> bool {
        let [own, wanted] = [self, wanted].map(Platform::usual);
        own.iter().zip(&wanted).all(|(own, wanted)| own.is_none() || wanted.is_none() || own == wanted)
    }

    /// The text form, with `?` for names that are not usual.
    pub fn guarded(&self) -> String {
        let parts = self.usual().into_iter().flatten();
        parts.map(|part| if USUAL.split(' ').any(|usual| usual == part) { part } else { "?".to_owned() }).collect::<Vec<_>>().join("/")
    }

    /// In lower case, under Go's names. 64-bit ARM has one variant, which most images do not name.
    fn usual(&self) -> [Option<String>; 3] {
        let lower = |part: &Option<String>| part.as_ref().map(|part| part.to_ascii_lowercase());
        let architecture = lower(&self.architecture).map(|architecture| match architecture.as_str() {
            "x86_64" | "x86-64" => "amd64".to_owned(),
            "aarch64" => "arm64".to_owned(),
            "i386" | "i686" => "386".to_owned(),
            _ => architecture,
        });
        let variant = lower(&self.variant).filter(|variant| architecture.as_deref() != Some("arm64") || variant != "v8");
        [lower(&self.os), architecture, variant]
    }
}

impl fmt::Display for Platform {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let parts = [&self.os, &self.architecture, &self.variant];
        f.write_str(&parts.into_iter().flatten().cloned().collect::<Vec<_>>().join("/"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_is_not_said_fits() {
        let image = |document| Platform::of(&document).expect("a platform");
        let wanted = |text| Platform::parse(text).expect("a platform");
        let arm = json!({ "os": "linux", "architecture": "arm64" });
        for text in ["linux", "linux/arm64", "Linux/ARM64", "linux/aarch64", "linux/arm64/v8"] {
            assert!(image(arm.clone()).fits(&wanted(text)), "{text}");
        }
        assert!(!image(arm.clone()).fits(&wanted("linux/amd64")) && !image(arm).fits(&wanted("windows")));
        assert!(image(json!({ "architecture": "amd64" })).fits(&wanted("linux/x86_64")));
        assert!(!image(json!({ "os": "linux", "architecture": "arm", "variant": "v6" })).fits(&wanted("linux/arm/v7")));
        for text in ["", "linux/", "/amd64", "a/b/c/d", "linux/am d64"] {
            assert_eq!(Platform::parse(text), None, "{text}");
        }
    }
}
