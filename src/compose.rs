//! Compose files, and the sockets of engines that they mount.

use crate::layer::path::{clean, split};

/// The largest compose file that is looked into, in bytes.
pub const MOST: u64 = 1 << 20;

/// The sockets with which engines are controlled.
const SOCKETS: [&str; 4] = ["docker.sock", "containerd.sock", "podman.sock", "crio.sock"];

/// Whether a file of this path is a compose file: `compose.yml`, `docker-compose.prod.yaml`.
pub fn is_compose(path: &[u8]) -> bool {
    let name = split(path).1;
    let Some(stem) = name.strip_suffix(b".yml").or_else(|| name.strip_suffix(b".yaml")) else { return false };
    let Some(rest) = stem.strip_prefix(b"docker-compose").or_else(|| stem.strip_prefix(b"compose")) else { return false };
    matches!(rest.first(), None | Some(b'.' | b'-' | b'_'))
}

/// Whether this is where an engine has its socket: `/var/run/docker.sock`, `run/podman/podman.sock`.
pub fn is_socket(path: &[u8]) -> bool {
    let path = clean(path).0;
    let path = path.strip_prefix(b"var/").unwrap_or(&path);
    path.starts_with(b"run/") && SOCKETS.iter().any(|socket| split(path).1 == socket.as_bytes())
}

/// Whether a compose file mounts such a socket: `- /var/run/docker.sock:/var/run/docker.sock`, or `source: /var/run/docker.sock`. An
/// address (`unix:///var/run/docker.sock`) is no mount.
pub fn mounts_socket(text: &[u8]) -> bool {
    let text = String::from_utf8_lossy(text);
    let lines = text.lines().filter(|line| !line.trim_start().starts_with('#'));
    lines.flat_map(|line| line.split(" #").take(1)).flat_map(|line| line.split(['[', ']', '{', ',']).map(is_mount)).any(|mounts| mounts)
}

/// Whether an item of a list, or a field, is the source of a mount.
fn is_mount(item: &str) -> bool {
    let item = item.trim().trim_start_matches("- ").trim_start();
    let item = item.strip_prefix("source:").unwrap_or(item).trim().trim_matches(['"', '\'']);
    // `${SOCKET:-/var/run/docker.sock}:/var/run/docker.sock` was cut at its brace.
    let item = item.split_once(":-").map_or(item, |(_, default)| default);
    let source = item.split([':', '}']).next().unwrap_or_default();
    source.starts_with('/') && is_socket(source.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn compose_files_are_known_by_their_names() {
        for (path, expected) in [
            ("app/docker-compose.yml", true),
            ("compose.yaml", true),
            ("srv/compose.override.yml", true),
            ("docker-compose-dev.yaml", true),
            ("composer.yml", false),
            ("compose.json", false),
            ("my-compose.yml", false),
            ("compose.yml/x", false),
        ] {
            assert_eq!(is_compose(path.as_bytes()), expected, "{path}");
        }
    }

    #[test]
    fn a_mount_is_told_from_an_address() {
        for (line, expected) in [
            ("      - /var/run/docker.sock:/var/run/docker.sock:ro", true),
            ("      - \"/run/podman/podman.sock:/var/run/docker.sock\"", true),
            ("        source: /var/run/docker.sock", true),
            ("    volumes: ['/var/run/docker.sock:/sock', './x:/x']", true),
            ("    - {type: bind, source: /var/run/docker.sock, target: /sock}", true),
            ("    - ${SOCKET:-/var/run/docker.sock}:/var/run/docker.sock", true),
            ("    # - /var/run/docker.sock:/var/run/docker.sock", false),
            ("    - x:/x # /var/run/docker.sock", false),
            ("      DOCKER_HOST: unix:///var/run/docker.sock", false),
            ("      - DOCKER_HOST=unix:///var/run/docker.sock", false),
            ("      - --host=/var/run/docker.sock", false),
            ("        target: /var/run/docker.sock", false),
            ("      - /srv/docker.sock.d:/x", false),
        ] {
            assert_eq!(mounts_socket(format!("services:\n{line}\n").as_bytes()), expected, "{line}");
        }
    }
}
