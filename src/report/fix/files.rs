//! Files that an instruction brought in: what keeps them out of the build context, and how a build gets them all the same.

use super::words::{id, pattern, renamed, shown};
use super::{Block, DOCKERFILE, FindingEntry, IGNORE, SHELL, block, mounted};
use crate::image::history;

/// A file that tools look for: the end of its path, where it is mounted, where it is outside, and a step that needs it.
pub struct Known(&'static str, &'static str, &'static str, &'static str);

const KNOWN: &[Known] = &[
    Known(".npmrc", "/root/.npmrc", "$HOME/.npmrc", "npm ci"),
    Known(".yarnrc.yml", "/root/.yarnrc.yml", "$HOME/.yarnrc.yml", "yarn install --immutable"),
    Known(".pypirc", "/root/.pypirc", "$HOME/.pypirc", "twine upload dist/*"),
    Known("pip.conf", "/etc/pip.conf", "$HOME/.config/pip/pip.conf", "pip install -r requirements.txt"),
    Known(".netrc", "/root/.netrc", "$HOME/.netrc", "curl -fsSL --netrc https://…"),
    Known(".git-credentials", "/root/.git-credentials", "$HOME/.git-credentials", "git -c credential.helper=store clone https://…"),
    Known(".pgpass", "/root/.pgpass", "$HOME/.pgpass", "psql …"),
    Known(".my.cnf", "/root/.my.cnf", "$HOME/.my.cnf", "mysql …"),
    Known(".m2/settings.xml", "/root/.m2/settings.xml", "$HOME/.m2/settings.xml", "mvn -B package"),
    Known("gradle.properties", "/root/.gradle/gradle.properties", "$HOME/.gradle/gradle.properties", "gradle build"),
    Known(".composer/auth.json", "/root/.composer/auth.json", "$HOME/.composer/auth.json", "composer install"),
    Known("NuGet.Config", "/root/.nuget/NuGet/NuGet.Config", "$HOME/.nuget/NuGet/NuGet.Config", "dotnet restore"),
    Known(".cargo/credentials.toml", "/root/.cargo/credentials.toml", "$HOME/.cargo/credentials.toml", "cargo build --release"),
    Known(".gem/credentials", "/root/.gem/credentials", "$HOME/.gem/credentials", "bundle install"),
    Known(".terraformrc", "/root/.terraformrc", "$HOME/.terraformrc", "terraform init"),
    Known(".aws/credentials", "/root/.aws/credentials", "$HOME/.aws/credentials", "aws s3 cp s3://… …"),
    Known(".docker/config.json", "/root/.docker/config.json", "$HOME/.docker/config.json", "…"),
    Known(".kube/config", "/root/.kube/config", "$HOME/.kube/config", "kubectl …"),
];

/// Directories that hold credentials, or (`.git`) all that ever was.
const DIRECTORIES: [&str; 9] = [".git", ".ssh", ".aws", ".gnupg", ".kube", ".docker", ".azure", ".terraform", ".svn"];

/// Endings of files that are nothing but a credential.
const ENDINGS: [&str; 12] = [".pem", ".key", ".p12", ".pfx", ".jks", ".keystore", ".ppk", ".kdbx", ".tfvars", ".tfstate", ".ovpn", ".asc"];

/// Parts of the names of such files.
const PARTS: [&str; 7] = ["credential", "secret", "id_rsa", "id_ed25519", "id_ecdsa", "service-account", "deploy_key"];

/// The last name of a path.
pub fn base(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

/// The file as tools know it.
pub fn known(path: &str) -> Option<&'static Known> {
    let below = format!("/{path}");
    KNOWN.iter().find(|known| below.ends_with(&format!("/{}", known.0)))
}

impl Known {
    /// Mounted for the step that needs it.
    pub fn blocks(&self, say: &str) -> Vec<Block> {
        let id = id(base(self.0));
        let Known(_, target, outside, command) = self;
        vec![
            block(DOCKERFILE, say, format!("# syntax=docker/dockerfile:1\nRUN --mount=type=secret,id={id},target={target} {command}")),
            block(SHELL, "Build:", format!("docker build --secret id={id},src={outside} .")),
        ]
    }
}

/// A directory above the file that as a whole has no place in an image.
fn directory(path: &str) -> Option<&'static str> {
    path.split('/').rev().skip(1).find_map(|name| DIRECTORIES.iter().find(|known| **known == name)).copied()
}

/// True for names of files that are secrets as a whole; others belong in the image, without the secret.
fn is_secret_file(path: &str) -> bool {
    let name = base(path).to_ascii_lowercase();
    let dotted = name.starts_with(".env") || name.ends_with(".env") || name.starts_with(".ht");
    let code = [".py", ".js", ".ts", ".rb", ".go", ".java", ".php", ".cs", ".rs"].iter().any(|end| name.ends_with(end));
    known(path).is_some()
        || directory(path).is_some()
        || dotted
        || ENDINGS.iter().any(|end| name.ends_with(end))
        || !code && PARTS.iter().any(|part| name.contains(part))
}

/// True for keys that ssh takes, which it need not be given: an agent will do.
fn is_ssh_key(path: &str) -> bool {
    let name = base(path);
    name.starts_with("id_") && !name.ends_with(".pub") || name == "deploy_key" || directory(path) == Some(".ssh")
}

/// The lines of a `.dockerignore` that keep the file out, wherever in the context it stands.
fn ignored(path: &str) -> String {
    match directory(path) {
        Some(directory) => format!("**/{directory}"),
        None if base(path) == ".env" => "**/.env\n**/.env.*\n!**/.env.example".to_owned(),
        None => format!("**/{}", pattern(base(path))),
    }
}

/// A file that COPY or ADD took from the build context.
pub fn copied(finding: &FindingEntry, path: &str) -> Vec<Block> {
    let instruction = finding.instruction.as_deref().map(|text| history::instruction(text, ""));
    let source = instruction.and_then(|text| renamed(&text, path));
    let path = source.as_deref().unwrap_or(path);
    let gone = finding.fate.state == "deleted";
    if !gone && !is_secret_file(path) {
        return belongs(path);
    }
    let mut blocks =
        vec![block(IGNORE, format!("Keep `{}` out of the build context; then no COPY can bring it in.", shown(base(path))), ignored(path))];
    match known(path) {
        _ if directory(path) == Some(".git") => return blocks,
        _ if is_ssh_key(path) => blocks.extend([
            block(
                DOCKERFILE,
                "A step that needs the key uses your ssh agent:",
                "# syntax=docker/dockerfile:1\nRUN --mount=type=ssh git clone git@…",
            ),
            block(SHELL, "Build, with the agent running:", "docker build --ssh default ."),
        ]),
        Some(known) => blocks.extend(known.blocks("A step that needs it gets it mounted, for as long as it runs:")),
        None => blocks.extend(mounted(
            &format!("/{}", finding.location.path.as_deref().unwrap_or(path)),
            &id(base(path)),
            "If a step needs it, it gets it mounted, for as long as it runs:",
        )),
    }
    if finding.fate.state == "present" {
        blocks.push(block(
            SHELL,
            "If the program needs it when it runs, give it to the container:",
            "docker run --mount type=bind,src=…,dst=…,readonly …",
        ));
    } else {
        blocks.push(stages());
    }
    blocks
}

/// Only the last stage is the image.
fn stages() -> Block {
    block(
        DOCKERFILE,
        "What only building needs can also stay in a stage of its own: of it, the image has what is copied from it, and nothing else.",
        "FROM … AS build\nCOPY . .\nRUN …\n\nFROM …\nCOPY --from=build /app/dist /app/dist",
    )
}

/// A file that the program needs, with a secret in it.
fn belongs(path: &str) -> Vec<Block> {
    vec![
        block(
            DOCKERFILE,
            format!(
                "`{}` may belong in the image, the secret in it does not. Let the program read it from the environment or from a file that is \
                 there only when the container runs.",
                shown(base(path))
            ),
            "",
        ),
        block(SHELL, "Give it to the container:", "docker run --mount type=bind,src=/etc/app/secret,dst=/run/secrets/secret,readonly …"),
    ]
}

/// Nothing is known of what brought it in.
pub fn unknown(path: &str) -> Vec<Block> {
    let mut blocks = vec![block(
        IGNORE,
        "The image does not say what brought it in. If it comes from the build context, this keeps it out:",
        ignored(path),
    )];
    blocks.extend(mounted(&format!("/{path}"), &id(base(path)), "If a step needs it, it gets it mounted, for as long as it runs:"));
    blocks
}
