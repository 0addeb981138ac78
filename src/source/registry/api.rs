//! The requests that a registry answers (OCI distribution-spec 1.1), for reading.

use super::auth::{Authority, Credential, denied};
use crate::digest::Digest;
use crate::net::{Ask, Client, Method, Reply, joined, same_server};
use crate::source::reference::Reference;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::io;
use std::sync::OnceLock;

/// The kinds of manifests that we read.
const MANIFESTS: &str = "application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json, \
    application/vnd.docker.distribution.manifest.list.v2+json, application/vnd.docker.distribution.manifest.v2+json, \
    application/vnd.oci.artifact.manifest.v1+json, application/vnd.docker.distribution.manifest.v1+prettyjws;q=0.1";
/// What all pages of a list may have together, in bytes, and how many there may be.
const LARGEST_LIST: u64 = 16 << 20;
const MOST_PAGES: usize = 10_000;
/// The same of a list of referrers, each of which takes more than its text.
const MOST_REFERRERS: u64 = 4 << 20;

/// A registry.
pub struct Registry {
    client: Client,
    authority: Authority,
    host: String,
    scheme: OnceLock<&'static str>,
}

/// A manifest or an index, as it came.
pub struct Manifest {
    /// What its bytes are, or what they were asked for as.
    pub digest: Digest,
    /// What the registry calls it.
    pub media_type: String,
    /// Its bytes.
    pub bytes: Vec<u8>,
}

impl Registry {
    /// The registry that `reference` names. Nothing is asked yet.
    pub fn new(client: Client, reference: &Reference, credential: Option<Credential>) -> Registry {
        Registry { client, authority: Authority::new(credential), host: reference.host.clone(), scheme: OnceLock::new() }
    }

    /// Waits between tries.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// `https`; `http` where that is allowed for the host and nobody speaks TLS there.
    fn scheme(&self) -> &'static str {
        self.scheme.get_or_init(|| {
            if !self.client.trust().is_insecure(&self.host) {
                return "https";
            }
            let url = format!("https://{}/v2/", self.host);
            if self.client.speaks_tls(&url) { "https" } else { "http" }
        })
    }

    /// Asks for `path` below `/v2/`, and shows who we are where that is wanted. `scope` is what we want to do.
    fn ask(&self, method: &Method, path: &str, headers: &[(&str, &str)], scope: &str) -> io::Result<Reply> {
        let url = if path.contains("://") { path.to_owned() } else { format!("{}://{}/v2/{path}", self.scheme(), self.host) };
        let mut answered = false;
        loop {
            let header = self.authority.header(scope);
            let mut all = headers.to_vec();
            all.extend(header.iter().map(|header| ("authorization", header.as_str())));
            let reply = self.client.ask(&Ask { method: method.clone(), url: &url, headers: &all, form: None })?;
            match reply.status {
                // A login is for the registry, not for whomever it redirects to.
                401 | 403 if !reply.at_home => {
                    let why = format!("the registry redirects to a server that denies access (status {})", reply.status);
                    return Err(io::Error::new(io::ErrorKind::PermissionDenied, why));
                }
                401 if !answered => {
                    answered = true;
                    if !self.authority.answer(&self.client, &reply, scope)? {
                        return Err(denied(401, !self.authority.is_anonymous()));
                    }
                }
                401 | 403 => return Err(denied(reply.status, !self.authority.is_anonymous())),
                _ => return Ok(reply),
            }
        }
    }

    /// The manifest under a tag or digest; none if there is no such.
    pub fn manifest(&self, repository: &str, reference: &str, most: u64) -> io::Result<Option<Manifest>> {
        let reply = self.ask(&Method::GET, &format!("{repository}/manifests/{reference}"), &[("accept", MANIFESTS)], &pull(repository))?;
        match reply.status {
            200 => {}
            404 => return Ok(None),
            status => return Err(unexpected(status)),
        }
        let media_type = reply.header("content-type").unwrap_or_default().split(';').next().unwrap_or_default().trim().to_owned();
        let bytes = reply.bytes(most)?;
        let digest = match Digest::parse(reference) {
            Some(digest) if digest == Digest::sha256(&bytes) || digest == Digest::sha512(&bytes) => digest,
            Some(digest) => return Err(io::Error::other(format!("what the registry has under {digest} could not be verified"))),
            None => Digest::sha256(&bytes),
        };
        Ok(Some(Manifest { digest, media_type, bytes }))
    }

    /// The size of a blob in bytes; none if it is not there.
    pub fn size(&self, repository: &str, digest: &Digest) -> io::Result<Option<u64>> {
        let reply = self.ask(&Method::HEAD, &format!("{repository}/blobs/{digest}"), &[], &pull(repository))?;
        match reply.status {
            200 => Ok(reply.header("content-length").and_then(|length| length.parse().ok())),
            404 => Ok(None),
            status => Err(unexpected(status)),
        }
    }

    /// A blob from `offset` on. The registry may begin earlier: the second part is where it does.
    pub fn blob(&self, repository: &str, digest: &Digest, offset: u64) -> io::Result<(Reply, u64)> {
        let range = format!("bytes={offset}-");
        let headers = [("range", range.as_str())];
        let path = format!("{repository}/blobs/{digest}");
        let reply = self.ask(&Method::GET, &path, if offset > 0 { &headers } else { &[] }, &pull(repository))?;
        match reply.status {
            200 => Ok((reply, 0)),
            206 => {
                let range =
                    reply.header("content-range").and_then(|range| range.strip_prefix("bytes ")?.split('-').next()?.trim().parse().ok());
                match range {
                    Some(begin) if begin <= offset => Ok((reply, begin)),
                    _ => Err(io::Error::other("the registry sent another part of the blob than was asked for")),
                }
            }
            404 => Err(io::Error::new(io::ErrorKind::NotFound, "the registry does not have it")),
            status => Err(unexpected(status)),
        }
    }

    /// The tags of a repository; none if there is no such.
    pub fn tags(&self, repository: &str) -> io::Result<Option<Vec<String>>> {
        self.list::<Tags>(&format!("{repository}/tags/list?n=1000"), &[], &pull(repository), LARGEST_LIST)
    }

    /// The repositories of the registry, where it tells.
    pub fn repositories(&self) -> io::Result<Option<Vec<String>>> {
        self.list::<Repositories>("_catalog?n=1000", &[], "registry:catalog:*", LARGEST_LIST)
    }

    /// Descriptors of what says that it is about `digest`; none where the registry has no such list.
    pub fn referrers(&self, repository: &str, digest: &Digest) -> io::Result<Option<Vec<Descriptor>>> {
        let path = format!("{repository}/referrers/{digest}");
        self.list::<Referrers>(&path, &[("accept", MANIFESTS)], &pull(repository), MOST_REFERRERS)
    }

    /// A list that comes in pages; none where the registry knows no such list.
    fn list<P: Page>(&self, path: &str, headers: &[(&str, &str)], scope: &str, most: u64) -> io::Result<Option<Vec<P::Item>>> {
        let base = format!("{}://{}/v2/{path}", self.scheme(), self.host);
        let (mut items, mut next, mut left) = (Vec::new(), base.clone(), most);
        for page in 0..MOST_PAGES {
            let reply = self.ask(&Method::GET, &next, headers, scope)?;
            match reply.status {
                200 => {}
                400 | 404 | 405 | 501 if page == 0 => return Ok(None),
                status => return Err(unexpected(status)),
            }
            let link = reply.headers("link").find_map(next_page).map(|link| joined(&base, link)).transpose()?;
            let bytes = reply.bytes(left)?;
            left -= bytes.len() as u64;
            let page: P = serde_json::from_slice(&bytes).map_err(|_| io::Error::other("the registry's list is not understood"))?;
            items.extend(page.items());
            match link {
                // What we are shown to the registry for is not for others.
                Some(link) if !same_server(&base, &link) => {
                    return Err(io::Error::other("the registry's list goes on at another server, which is not asked"));
                }
                Some(link) => next = link,
                None => return Ok(Some(items)),
            }
        }
        Err(io::Error::other("the registry's list does not end"))
    }
}

/// A page of a list: the key has to be there; `null` is an empty list.
trait Page: DeserializeOwned {
    type Item;
    fn items(self) -> Vec<Self::Item>;
}

macro_rules! page {
    ($name:ident, $key:ident, $item:ty) => {
        #[derive(Deserialize)]
        struct $name {
            #[serde(deserialize_with = "Option::deserialize")]
            $key: Option<Vec<$item>>,
        }

        impl Page for $name {
            type Item = $item;
            fn items(self) -> Vec<$item> {
                self.$key.unwrap_or_default()
            }
        }
    };
}

page!(Tags, tags, String);
page!(Repositories, repositories, String);
page!(Referrers, manifests, Descriptor);

/// What refers to a manifest (OCI image-spec, "Descriptor").
#[derive(Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Descriptor {
    digest: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    media_type: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    artifact_type: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    size: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    annotations: Option<BTreeMap<String, String>>,
}

/// What we want to do.
fn pull(repository: &str) -> String {
    format!("repository:{repository}:pull")
}

fn unexpected(status: u16) -> io::Error {
    io::Error::other(format!("the registry answers with the status {status}"))
}

/// The address in `<…>; rel="next"`, which may stand among others (RFC 8288).
pub(super) fn next_page(header: &str) -> Option<&str> {
    header.split('<').skip(1).find_map(|link| {
        let (address, parameters) = link.split_once('>')?;
        let is_next = |parameter: &str| {
            let (name, value) = parameter.split_once('=')?;
            let mut relations = value.trim().trim_end_matches(',').trim().trim_matches('"').split_whitespace();
            Some(name.trim().eq_ignore_ascii_case("rel") && relations.any(|relation| relation.eq_ignore_ascii_case("next")))
        };
        parameters.split(';').any(|parameter| is_next(parameter) == Some(true)).then_some(address)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_are_linked() {
        assert_eq!(next_page("</v2/a/tags/list?n=1&last=x>; rel=\"next\""), Some("/v2/a/tags/list?n=1&last=x"));
        assert_eq!(next_page("</v2/docs>; rel=help, </v2/2>; title=\"a, b\"; REL=\"x Next\", </v2/3>"), Some("/v2/2"));
        assert_eq!(next_page("</v2/>; rel=prev"), None);
        assert_eq!(next_page("nonsense"), None);
    }
}
