//! Programs that run with their owner's rights, which a layer of the image's own adds.

use super::files::{Layer, is_setuid, maker, shows};
use super::{Notes, named};
use crate::error::{Code, Problem};
use crate::image::Image;
use crate::layer::change::{ChangeKind, FileType};
use crate::layer::path::{is_below, split};
use crate::limits::{Effort, Exhausted};

/// Where packages have their programs.
const SYSTEM: &[&str] = &[
    "bin",
    "lib",
    "lib32",
    "lib64",
    "sbin",
    "usr/bin",
    "usr/games",
    "usr/lib",
    "usr/lib32",
    "usr/lib64",
    "usr/libexec",
    "usr/sbin",
    "usr/share",
    "opt",
];

/// Programs that packages of the distributions install so (Debian, Ubuntu, Fedora, Alpine).
const USUAL: &str = " Xorg.wrap arping at bbsuid bsd-write bwrap chage chfn chrome-sandbox chsh chkpwd clockdiff crontab dbus-daemon-launch-helper doas dotlockfile dumpcap \
    exim exim4 expiry fping fusermount fusermount3 gpasswd grub2-set-bootflag kismet_cap_linux_wifi ksu locate lockfile mail-lock mail-unlock mail-touchlock mount mount.cifs \
    mount.davfs mount.ecryptfs_private mount.fuse mount.nfs mount.ntfs mtr-packet netreport newgidmap newgrp newuidmap ntfs-3g pam_extrausers_chkpwd pam_timestamp_check passwd ping \
    ping4 ping6 pkexec plocate mlocate slocate polkit-agent-helper-1 postdrop postqueue pppd procmail screen sendmail sg snap-confine ssh-agent ssh-keysign staprun su sudo sudoedit \
    suexec suexec2 traceroute traceroute6 traceroute6.iputils umount umount.nfs unix_chkpwd unix_update userhelper usernetctl utempter utempter-helper vlock wall wodim write \
    xlock xscreensaver sudo-rs su-rs vmware-user-suid-wrapper abrt-action-install-debuginfo-to-abrt-cache cockpit-session fbterm gnome-pty-helper ";

/// One note for each layer from `own` on (those below are the base's) that adds such programs and shows them in the final image.
pub fn notes(image: &Image, layers: &[Option<Layer>], own: usize, effort: &mut Effort) -> Result<Notes, Exhausted> {
    let mut notes = Notes::new();
    for (index, layer) in layers.iter().enumerate().skip(own.max(1)) {
        let adds = |instruction: &&str| ["RUN ", "COPY ", "ADD "].iter().any(|word| instruction.starts_with(word));
        let (Some(layer), Some(instruction)) = (layer, maker(image, index).filter(adds)) else { continue };
        let mut added: Vec<&[u8]> = Vec::new();
        for entry in &layer.found.setuid {
            let path = layer.scan.path(*entry);
            let before = before(layers, index, path, effort)?;
            let told = match before {
                Some(Before::Setuid) => false,
                Some(Before::Plain) => !is_usual(path),
                None => is_own(path, instruction, layer.found.packages),
            };
            if told && stays(layers, index, path, effort)? {
                added.push(path);
            }
        }
        let Some(first) = added.first() else { continue };
        let more = if added.len() > 1 { format!(" and {} more", added.len() - 1) } else { String::new() };
        let word = instruction.split(' ').next().unwrap_or_default();
        let message = format!(
            "{word} adds {}{more}, which runs with the rights of its owner or group: take the bit away (chmod ug-s) unless it must have it",
            named(first)
        );
        notes.push((Some(index), Problem::at(Code::SetuidAdded, first, message)));
    }
    Ok(notes)
}

/// What a path was before a layer.
enum Before {
    /// It had the bit already.
    Setuid,
    /// A file without it.
    Plain,
}

/// What the layers below `index` have at a path.
fn before(layers: &[Option<Layer>], index: usize, path: &[u8], effort: &mut Effort) -> Result<Option<Before>, Exhausted> {
    for layer in layers[..index].iter().rev().flatten() {
        effort.spend(1)?;
        let Some(entry) = layer.scan.put(path) else { continue };
        let entry = layer.scan.entry(entry);
        return Ok(match entry.kind {
            ChangeKind::Put(FileType::Regular) if is_setuid(entry) => Some(Before::Setuid),
            ChangeKind::Put(FileType::Regular) => Some(Before::Plain),
            _ => None,
        });
    }
    Ok(None)
}

/// Whether the program has the bit in the final image.
fn stays(layers: &[Option<Layer>], index: usize, path: &[u8], effort: &mut Effort) -> Result<bool, Exhausted> {
    for layer in layers[index + 1..].iter().rev().flatten() {
        effort.spend(1)?;
        if let Some(entry) = layer.scan.put(path) {
            return Ok(is_setuid(layer.scan.entry(entry)) && shows(layers, index, path, effort)?);
        }
    }
    shows(layers, index, path, effort)
}

/// Whether a new program is the image's own rather than that of a package. `packages`: the layer installs some.
fn is_own(path: &[u8], instruction: &str, packages: bool) -> bool {
    if is_usual(path) {
        return false;
    }
    let system = SYSTEM.iter().any(|dir| is_below(path, dir.as_bytes()));
    !system || if instruction.starts_with("RUN ") { sets_bit(instruction, split(path).1) } else { !packages }
}

fn is_usual(path: &[u8]) -> bool {
    let name = String::from_utf8_lossy(split(path).1).into_owned();
    SYSTEM.iter().any(|dir| is_below(path, dir.as_bytes())) && !name.contains(' ') && USUAL.contains(&format!(" {name} "))
}

/// Whether a command names the program behind `chmod`, or `install -m`.
fn sets_bit(instruction: &str, name: &[u8]) -> bool {
    let commands = instruction.split(['&', ';', '|', '\n']);
    let setting = commands.filter(|command| command.contains("chmod ") || command.contains("install -m"));
    let part = |c: char| !(c.is_alphanumeric() || "._+-".contains(c));
    setting.flat_map(|command| command.split(part)).any(|word| word.as_bytes() == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn own_programs_are_told_from_those_of_packages() {
        for (path, instruction, packages, own) in [
            ("usr/bin/sudo", "RUN apt-get install -y sudo", true, false),
            ("usr/bin/tool", "RUN apt-get install -y tool", true, false),
            ("usr/bin/tool", "RUN apt-get install -y tool && chmod 755 /x", true, false),
            ("usr/bin/tool", "RUN make && chmod u+s /usr/bin/tool", false, true),
            ("usr/bin/tool", "RUN install -m 4755 tool /usr/bin/tool", false, true),
            ("usr/local/bin/tool", "RUN make install", false, true),
            ("app/su", "COPY . /app", false, true),
            ("usr/bin/tool", "COPY tool /usr/bin/", false, true),
            ("usr/bin/tool", "COPY rootfs /", true, false),
            ("usr/bin/passwd", "COPY rootfs /", false, false),
            ("opt/google/chrome/chrome-sandbox", "RUN apt-get install -y google-chrome", true, false),
        ] {
            assert_eq!(is_own(path.as_bytes(), instruction, packages), own, "{path} by {instruction}");
        }
    }
}
