//! The gate through the program: conditions, ignores, baselines, where options come from, and what a run says of all that.

use crate::support::{TestImage, file, program, put, rm, temporary, token};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::Command;

/// A directory with an image, in which the program is run; nothing above it is looked at.
struct Place {
    dir: tempfile::TempDir,
}

struct Ran {
    code: i32,
    stdout: String,
    stderr: String,
}

impl Ran {
    fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|e| panic!("no JSON ({e}): {} {}", self.stdout, self.stderr))
    }
}

impl Place {
    fn with(image: &TestImage) -> Place {
        let place = Place { dir: temporary() };
        place.write("image.tar", image.docker_save());
        place
    }

    fn path(&self) -> &Path {
        self.dir.path()
    }

    fn write(&self, name: &str, bytes: impl AsRef<[u8]>) -> String {
        let path = self.path().join(name);
        std::fs::create_dir_all(path.parent().expect("a parent")).expect("a directory");
        file(self.path(), name, bytes.as_ref())
    }

    fn run_in(&self, dir: &Path, arguments: &[&str], variables: &[(&str, &str)]) -> Ran {
        let mut command = Command::new(program());
        command.args(arguments).current_dir(dir).env("HOME", self.path());
        let output = command.envs(variables.iter().copied()).output().expect("the program runs");
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("UTF-8");
        Ran { code: output.status.code().unwrap_or(-1), stdout: text(output.stdout), stderr: text(output.stderr) }
    }

    fn run(&self, arguments: &[&str]) -> Ran {
        self.run_in(self.path(), arguments, &[])
    }

    fn scan(&self, more: &[&str]) -> Ran {
        self.run(&[&["scan", "image.tar", "--format", "json"], more].concat())
    }

    /// The exit code with this configuration.
    fn under(&self, config: &str) -> i32 {
        self.write("pentimento.toml", config);
        let ran = self.scan(&[]);
        assert!(ran.code < 2, "{config}: {}", ran.stderr);
        ran.code
    }
}

/// One secret, deleted: critical, sure, of GitHub.
fn deleted() -> TestImage {
    TestImage::new().layer([put("app/.env", format!("GITHUB_TOKEN={}\n", token("policy")))]).layer([rm("app/.env")])
}

/// One secret, present, in the second layer.
fn present() -> TestImage {
    TestImage::new().layer([put("etc/os-release", "ID=x\n")]).layer([put("app/.env", format!("GITHUB_TOKEN={}\n", token("policy")))])
}

fn id_of(report: &Value) -> String {
    report["findings"][0]["id"].as_str().expect("an id").to_owned()
}

#[test]
fn each_condition_lets_pass_and_fails() {
    for (image, fails, passes) in [
        (deleted(), "fate = \"hidden\"", "fate = \"present\""),
        (deleted(), "fate = [\"present\", \"deleted\"]", "fate = [\"present\", \"overwritten\", \"config\"]"),
        (deleted(), "fate = \"any\"", "fate = \"none\""),
        (present(), "fate = \"present\"", "fate = [\"hidden\", \"config\"]"),
        (present(), "confidence = \"high\"", "fate = \"outside\""),
        (present(), "providers = [\"github\", \"aws\"]", "providers = [\"aws\"]"),
        (present(), "except-providers = [\"aws\"]", "except-providers = [\"github\"]"),
        (present(), "fate = \"present\"\nseverity = \"high\"", "fate = \"hidden\"\nseverity = \"low\""),
        (present(), "layers = \"own\"", "fate = \"none\"\nlayers = \"any\""),
    ] {
        let place = Place::with(&image);
        assert_eq!(place.under(&format!("[fail-on]\n{fails}\n")), 1, "{fails}");
        assert_eq!(place.under(&format!("[fail-on]\n{passes}\n")), 0, "{passes}");
    }
}

#[test]
fn severity_and_confidence_are_at_least() {
    // A password in an .env file is less bad, and less sure, than a token with a checksum.
    let image = TestImage::new().layer([put("app/.env", "DB_PASSWORD=Zw8Kp9xQ2mZ7\n")]);
    let place = Place::with(&image);
    let finding = place.scan(&[]).json()["findings"][0].clone();
    let levels = ["low", "medium", "high", "critical"];
    for (key, option) in [("severity", "--fail-on-severity"), ("confidence", "--fail-on-confidence")] {
        let own = levels.iter().position(|level| finding[key] == **level).expect("a level");
        for (at, level) in levels.iter().enumerate().filter(|(_, level)| key == "severity" || **level != "critical") {
            let ran = place.scan(&[option, level]);
            assert_eq!(ran.code, i32::from(at <= own), "{option} {level}: {}", ran.stderr);
            let passed = if at <= own { json!([]) } else { json!([{ "condition": key, "count": 1 }]) };
            assert_eq!(ran.json()["gate"]["passed"], passed);
            assert_eq!(ran.json()["findings"][0]["fails"], json!(at <= own));
        }
    }
}

#[test]
fn layers_have_owners() {
    let shared = [put("etc/base.env", format!("GITHUB_TOKEN={}\n", token("base")))];
    let place = Place::with(&TestImage::new().layer(shared.clone()).layer([put("x", "y")]));
    place.write("base.tar", TestImage::new().layer(shared).docker_save());
    let base: &[&str] = &["--base", "base.tar"];
    let own = place.scan(&[base, &["--fail-on-layers", "own"]].concat());
    assert_eq!((own.code, &own.json()["suppressed"]), (0, &json!([{ "reason": "base", "count": 1 }])));
    let any = place.scan(&[base, &["--fail-on-layers", "any"]].concat());
    assert_eq!((any.code, any.json()["findings"].as_array().map(Vec::len)), (1, Some(1)));
    assert_eq!(place.scan(&[base, &["--fail-on-layers", "base"]].concat()).code, 1);
    // Where no base is known, every layer is the image's own, and that is said.
    let unknown = place.scan(&["--fail-on-layers", "any"]);
    assert_eq!(unknown.code, 1);
    assert!(unknown.json()["gate"]["conditions"].to_string().contains("no base is known"), "{}", unknown.stdout);
    let nothing = place.scan(&["--fail-on-layers", "base"]);
    assert!(nothing.code == 2 && nothing.stderr.contains("--base"), "{}", nothing.stderr);
    // What the image adds is no finding of its base.
    let added = Place::with(&TestImage::new().layer([put("x", "y")]).layer([put("a", format!("T={}\n", token("own")))]));
    added.write("base.tar", TestImage::new().layer([put("x", "y")]).docker_save());
    let ran = added.scan(&["--base", "base.tar", "--fail-on-layers", "base"]);
    assert_eq!((ran.code, &ran.json()["gate"]["passed"][0]["condition"]), (0, &json!("layers")), "{}", ran.stdout);
}

#[test]
fn an_ignore_fits_by_everything_that_it_names() {
    let place = Place::with(&deleted());
    let report = place.scan(&[]).json();
    let (id, hash) = (id_of(&report), report["findings"][0]["secret"]["hash"].as_str().expect("a hash").to_owned());
    let rule = "github-personal-access-token";
    for (entry, code) in [
        (format!("id = \"{id}\""), 0),
        (format!("id = \"{}\"", "0".repeat(20)), 1),
        (format!("rule = \"{rule}\""), 0),
        ("rule = \"jwt-token\"".to_owned(), 1),
        ("path = \"app/*\"".to_owned(), 0),
        ("path = \".env\"".to_owned(), 0),
        ("path = \"etc/**\"".to_owned(), 1),
        (format!("secret = \"{hash}\""), 0),
        (format!("secret = \"{}\"", "0".repeat(32)), 1),
        (format!("rule = \"{rule}\"\npath = \"app/*\"\nsecret = \"{hash}\""), 0),
        (format!("rule = \"{rule}\"\npath = \"etc/*\"\nsecret = \"{hash}\""), 1),
    ] {
        place.write("pentimento.toml", format!("[[ignore]]\n{entry}\nreason = \"made up\"\nexpires = \"never\"\n"));
        let ran = place.scan(&[]);
        let report = ran.json();
        assert_eq!(ran.code, code, "{entry}");
        if code == 0 {
            assert_eq!((&report["verdict"], &report["suppressed"]), (&json!("passed"), &json!([{ "reason": "ignored", "count": 1 }])));
            let told = &report["gate"]["ignored"][0];
            assert_eq!((&told["because"], &told["file"], &told["line"]), (&json!("made up"), &json!("pentimento.toml"), &json!(1)));
        } else {
            assert!(report["notes"].to_string().contains("ignore-unused"), "{entry}");
        }
    }
}

#[test]
fn an_ignored_finding_is_shown_on_request_and_does_not_fail() {
    let place = Place::with(&deleted());
    place.write(".pentimentoignore", "path:app/* until 2999-01-31 # made up\n");
    let ran = place.scan(&["--show-ignored"]);
    let report = ran.json();
    assert_eq!((ran.code, &report["verdict"], &report["suppressed"]), (0, &json!("passed"), &json!([])));
    assert_eq!((&report["findings"][0]["let_pass"], &report["findings"][0]["fails"]), (&json!("ignored"), &json!(false)));
    let human = place.run(&["scan", "image.tar"]);
    assert!(human.code == 0 && human.stdout.contains("NOT shown: 1 finding let pass by an ignore"), "{}", human.stdout);
    assert!(human.stdout.contains("ignored until 2999-01-31 by .pentimentoignore:1 `path:app/*` (made up)"), "{}", human.stdout);
}

#[test]
fn an_expired_ignore_fails_and_says_so() {
    let place = Place::with(&deleted());
    for (name, text) in [
        (".pentimentoignore", "path:app/* until 2020-01-31 # till the rebuild\n"),
        ("pentimento.toml", "[[ignore]]\npath = \"app/*\"\nreason = \"till the rebuild\"\nexpires = \"2020-01-31\"\n"),
    ] {
        place.write(name, text);
        let ran = place.scan(&[]);
        let report = ran.json();
        assert_eq!((ran.code, &report["verdict"], &report["gate"]["expired"][0]["count"]), (1, &json!("found"), &json!(1)));
        let note = report["notes"].as_array().expect("notes").iter().find(|note| note["code"] == "ignore-expired").expect("a note");
        assert!(note["message"].as_str().is_some_and(|m| m.contains("2020-01-31") && m.contains("till the rebuild")), "{note}");
        let human = place.run(&["scan", "image.tar"]);
        assert!(human.stdout.contains("FAILED: 1 finding that") && human.stdout.contains("let pass until 2020-01-31"), "{}", human.stdout);
        assert!(!human.stdout.contains("pentimento baseline"), "no baseline has it: {}", human.stdout);
        let lenient = place.scan(&["--fail-on", "none"]).json()["notes"].to_string();
        assert!(lenient.contains("still fits 1 finding") && !lenient.contains("nothing needs"), "{lenient}");
        // Also where the conditions alone would let it pass, but not where nothing is to fail.
        assert_eq!(place.scan(&["--fail-on", "present"]).code, 1);
        assert_eq!(place.scan(&["--fail-on", "none"]).code, 0);
        std::fs::remove_file(place.path().join(name)).expect("the file");
    }
    // Its last day is a day on which it holds, and what fits nothing is only noted.
    let today = place.scan(&[]).json()["gate"]["date"].as_str().expect("a day").to_owned();
    place.write(".pentimentoignore", format!("path:app/* until {today} # today\nrule:jwt-token until 2020-01-31 # gone\n"));
    let ran = place.scan(&[]);
    assert_eq!(ran.code, 0, "{}", ran.stdout);
    assert!(ran.json()["notes"].to_string().contains("ignore-expired"));
}

#[test]
fn what_still_holds_wins_over_what_has_expired() {
    let place = Place::with(&deleted());
    place.write(".pentimentoignore", "path:app/* until 2020-01-31 # old\npath:app/.env until never # new\n");
    assert_eq!(place.scan(&[]).code, 0);
    place.run(&["baseline", "image.tar", "--no-config", "-o", "b.json"]);
    // Neither the baseline that has it nor a new one changes that it has to be looked at again.
    place.write(".pentimentoignore", "path:app/* until 2020-01-31 # old\n");
    assert_eq!(place.scan(&[]).code, 1);
    let ran = place.scan(&["--baseline", "b.json"]);
    assert_eq!((ran.code, &ran.json()["gate"]["expired"][0]["count"]), (1, &json!(1)));
    assert_eq!(place.scan(&["--baseline", "b.json", "--fail-on", "none"]).code, 0);
    let made = place.run(&["baseline", "image.tar", "-o", "c.json"]);
    assert!(made.code == 0 && made.stderr.contains(".pentimentoignore:1: the ignore held until 2020-01-31"), "{}", made.stderr);
    assert!(made.stderr.contains("c.json has 0 findings"), "{}", made.stderr);
    assert_eq!(place.scan(&["--baseline", "c.json"]).code, 1);
}

#[cfg(unix)]
#[test]
fn what_has_the_name_of_a_file_and_is_none_is_told() {
    let place = Place::with(&deleted());
    std::fs::create_dir(place.path().join("pentimento.toml")).expect("a directory");
    std::os::unix::fs::symlink("nothing", place.path().join(".pentimentoignore")).expect("a link");
    let ran = place.scan(&[]);
    assert_eq!(ran.code, 1);
    for told in ["pentimento.toml is not used: it is no file", ".pentimentoignore is not used: it is a link to nothing"] {
        assert!(ran.stderr.contains(told), "{}", ran.stderr);
    }
}

#[test]
fn a_baseline_goes_to_standard_output_and_counts_what_it_has() {
    let place = Place::with(&deleted());
    let ran = place.run(&["baseline", "image.tar", "-o", "-"]);
    assert_eq!((ran.code, ran.json()["findings"].as_array().map(Vec::len)), (0, Some(1)));
    assert!(!ran.stderr.contains("lets them pass") && !place.path().join("-").exists(), "{}", ran.stderr);
    let twice = place.run(&["baseline", "image.tar", "image.tar", "-o", "b.json"]);
    assert!(twice.stderr.contains("b.json has 1 finding;"), "{}", twice.stderr);
    place.write("torn.tar", &deleted().docker_save()[..2_000]);
    let torn = place.run(&["baseline", "torn.tar", "torn.tar"]);
    let mut lines: Vec<&str> = torn.stderr.lines().collect();
    let count = lines.len();
    lines.dedup();
    assert_eq!(lines.len(), count, "{}", torn.stderr);
}

/// An image with so many findings that their report fills a pipe.
fn many() -> TestImage {
    let files: Vec<_> = (0..100).map(|number| put(&format!("{number}.env"), format!("T={}\n", token(&number.to_string())))).collect();
    TestImage::new().entries(&files)
}

#[cfg(unix)]
#[test]
fn that_nobody_reads_a_report_changes_no_verdict() {
    let place = Place::with(&many());
    let fifo = place.path().join("fifo");
    assert!(Command::new("mkfifo").arg(&fifo).status().expect("mkfifo").success());
    let reader = std::thread::spawn(move || drop(std::fs::File::open(fifo)));
    let ran = place.run(&["scan", "image.tar", "-o", "json:fifo"]);
    assert_eq!((ran.code, ran.stderr.contains("found: 100 secrets")), (1, true), "{}", ran.stderr);
    reader.join().expect("the reader");
}

#[cfg(unix)]
#[test]
fn an_engine_that_hangs_up_is_no_success() {
    let place = Place::with(&deleted());
    let socket = place.path().join("engine.sock");
    let engine = std::os::unix::net::UnixListener::bind(&socket).expect("a socket");
    // The thread ends with the tests.
    std::thread::spawn(move || engine.incoming().for_each(drop));
    let ran = place.run_in(place.path(), &["scan", "docker://app:1"], &[("DOCKER_HOST", &format!("unix://{}", socket.display()))]);
    assert_eq!(ran.code, 2, "{} {}", ran.stdout, ran.stderr);
}

#[test]
fn wrong_files_are_told_with_their_place() {
    let place = Place::with(&deleted());
    for (name, text, told) in [
        ("pentimento.toml", "[fail-on]\nseverty = \"high\"\n", "pentimento.toml:2:1: "),
        ("pentimento.toml", "[fail-on]\n\nseverity = \"hgih\"\n", "pentimento.toml:3:12: invalid value 'hgih'"),
        ("pentimento.toml", "[fail-on]\nproviders = [\"gihtub\"]\n", "pentimento.toml:2:13: no rule has the provider gihtub"),
        ("pentimento.toml", "[fail-on]\nexcept-providers = [\"gihtub\"]\n", "pentimento.toml:2:20: no rule"),
        ("pentimento.toml", "[fail-on]\nfate = [\"none\", \"present\"]\n", "pentimento.toml:2:8: --fail-on: none stands alone"),
        (
            "pentimento.toml",
            "[fail-on]\nlayers = \"base\"\n",
            "pentimento: using pentimento.toml\npentimento: pentimento.toml:2:10: --fail-on-layers",
        ),
        ("pentimento.toml", "[scan]\nexit-code = 3\n", "pentimento: using pentimento.toml\npentimento: pentimento.toml:2:13: --exit-code"),
        ("pentimento.toml", "[fail-on]\nnotes = [\"runs-as-rot\"]\n", "pentimento.toml:2:9: "),
        ("pentimento.toml", "[scan]\nmax-layer-size = \"many\"\n", "pentimento.toml:2:18: "),
        ("pentimento.toml", "[scan]\ninclude-public = \"maybe\"\n", "pentimento.toml:2:18: true or false"),
        ("pentimento.toml", "[scan]\nshow-secrets = true\n", "pentimento.toml:2:1: "),
        ("pentimento.toml", "[[ignore]]\nrule = \"x\"\nexpires = \"never\"\n", "pentimento.toml:1:1: "),
        (".pentimentoignore", "# one\nrule:x until 2027-01-31\n", ".pentimentoignore:2: "),
        (".pentimentoignore", "rule:x # why\n", ".pentimentoignore:1: "),
    ] {
        place.write(name, text);
        let ran = place.scan(&[]);
        assert!(ran.code == 2 && ran.stderr.contains(told) && ran.stdout.is_empty(), "{text}: {} {}", ran.code, ran.stderr);
        std::fs::remove_file(place.path().join(name)).expect("the file");
    }
    place.write("large.toml", "#é\n".repeat(300_000));
    let large = place.scan(&["--config", "large.toml"]);
    assert!(large.code == 2 && large.stderr.contains("large.toml: it is larger than 1 MiB"), "{}", large.stderr);
    let variable = place.run_in(place.path(), &["scan", "image.tar"], &[("PENTIMENTO_EXIT_CODE", "3")]);
    assert!(variable.code == 2 && variable.stderr.contains("(from the variable PENTIMENTO_EXIT_CODE)"), "{}", variable.stderr);
    // What is typed takes the place of what the file says.
    place.write("typed.toml", "[scan]\nexit-code = 7\n");
    let typed = place.scan(&["--config", "typed.toml", "--exit-code", "3"]);
    assert!(typed.code == 2 && typed.stderr.contains("pentimento: --exit-code: 2 and 3"), "{}", typed.stderr);
    assert_eq!(place.scan(&["--config", "nothing.toml"]).code, 2);
    assert_eq!(place.scan(&["--ignore-file", "nothing"]).code, 2);
    assert_eq!(place.scan(&["--baseline", "nothing"]).code, 2);
    assert_eq!(place.scan(&["--fail-on", "none,present"]).code, 2);
}

#[test]
fn a_baseline_lets_pass_what_it_has_and_nothing_else() {
    let place = Place::with(&deleted());
    let wrote = place.run(&["baseline", "image.tar", "-o", "b.json"]);
    assert_eq!(wrote.code, 0, "{}", wrote.stderr);
    let text = std::fs::read_to_string(place.path().join("b.json")).expect("the baseline");
    assert!(!text.contains(&token("policy")[8..]), "{text}");
    let baseline: Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!(baseline["findings"][0]["place"], "app/.env");
    assert_eq!(place.run(&["baseline", "image.tar"]).stdout, text, "the same again");
    let ran = place.scan(&["--baseline", "b.json"]);
    let report = ran.json();
    assert_eq!((ran.code, &report["verdict"], &report["findings"]), (0, &json!("passed"), &json!([])));
    assert_eq!(report["suppressed"], json!([{ "reason": "baseline", "count": 1 }]));
    assert_eq!(report["gate"]["baseline"], json!({ "file": "b.json", "findings": 1, "known": 1, "gone": 0 }));
    let shown = place.scan(&["--baseline", "b.json", "--show-ignored"]).json();
    assert_eq!((&shown["findings"][0]["let_pass"], &shown["suppressed"]), (&json!("baseline"), &json!([])));
    // A new layer with something new: only that fails.
    let image = deleted().layer([put("new.env", format!("GITHUB_TOKEN={}\n", token("new")))]);
    place.write("image.tar", image.docker_save());
    let ran = place.scan(&["--baseline", "b.json"]);
    assert_eq!((ran.code, &ran.json()["findings"][0]["location"]["path"]), (1, &json!("new.env")));
    assert_eq!(ran.json()["gate"]["failed"]["count"], 1);
    // What is gone is counted.
    place.write("image.tar", TestImage::new().layer([put("x", "y")]).docker_save());
    let ran = place.scan(&["--baseline", "b.json"]);
    assert_eq!((ran.code, &ran.json()["verdict"], &ran.json()["gate"]["baseline"]["gone"]), (0, &json!("clean"), &json!(1)));
}

#[test]
fn a_secret_that_comes_back_is_known() {
    let secret = format!("GITHUB_TOKEN={}\n", token("policy"));
    let place = Place::with(&deleted());
    place.run(&["baseline", "image.tar", "-o", "b.json"]);
    place.write("image.tar", deleted().layer([put("app/.env", &secret)]).docker_save());
    let all = place.scan(&[]).json();
    let ids: Vec<&str> = all["findings"].as_array().expect("findings").iter().filter_map(|f| f["id"].as_str()).collect();
    assert!(ids.len() == 2 && ids[1] == format!("{}-2", ids[0]), "{ids:?}");
    let ran = place.scan(&["--baseline", "b.json"]);
    assert_eq!((ran.code, &ran.json()["suppressed"][0]["count"]), (0, &json!(2)));
    place.write(".pentimentoignore", format!("{} until never # both\n", ids[1]));
    assert_eq!(place.scan(&[]).code, 0);
}

#[test]
fn a_baseline_is_made_of_what_was_read_whole() {
    let place = Place::with(&deleted());
    let whole = deleted().docker_save();
    let mut members = crate::support::members(&whole);
    members.remove(1);
    place.write("image.tar", crate::support::archive(&members));
    let refused = place.run(&["baseline", "image.tar", "-o", "b.json"]);
    assert!(refused.code == 3 && refused.stderr.contains("--allow-incomplete"), "{}", refused.stderr);
    assert!(!place.path().join("b.json").exists());
    assert_eq!(place.run(&["baseline", "image.tar", "-o", "b.json", "--allow-incomplete"]).code, 0);
    // An incomplete scan stays one, whatever the baseline has.
    assert_eq!(place.scan(&["--baseline", "b.json"]).code, 3);
    for (text, told) in [("{}", "no baseline"), ("x", "no baseline"), ("{\"pentimento_baseline\": 9}", "another format")] {
        place.write("b.json", text);
        let ran = place.scan(&["--baseline", "b.json"]);
        assert!(ran.code == 2 && ran.stderr.contains(told), "{}", ran.stderr);
    }
}

#[test]
fn no_report_takes_the_place_of_what_is_read() {
    let place = Place::with(&deleted());
    place.run(&["baseline", "image.tar", "-o", "known.json"]);
    place.write("base.tar", TestImage::new().layer([put("x", "y")]).docker_save());
    place.write("Dockerfile", "FROM x\nRUN y\n");
    place.write("pentimento.toml", "");
    place.write(".pentimentoignore", "");
    place.write("other.toml", "");
    place.write("rules/own.toml", "");
    let read = |name: &str| std::fs::read(place.path().join(name)).expect("a file");
    for (name, options) in [
        ("base.tar", &["--base", "base.tar"][..]),
        ("known.json", &["--baseline", "known.json"]),
        ("Dockerfile", &["--dockerfile", "Dockerfile"]),
        ("pentimento.toml", &[]),
        ("other.toml", &["--config", "other.toml"]),
        (".pentimentoignore", &[]),
        ("rules/own.toml", &["--rules", "rules"]),
        ("rules/own.toml", &["--rules", "rules/own.toml"]),
    ] {
        let before = read(name);
        let output = format!("json:./{name}");
        let ran = place.run(&[&["scan", "image.tar", "-o", &output], options].concat());
        assert!(ran.code == 2 && ran.stderr.contains("it would be overwritten"), "{name}: {}", ran.stderr);
        if !matches!(name, "known.json" | "Dockerfile") {
            let ran = place.run(&[&["baseline", "image.tar", "-o", name], options].concat());
            assert!(ran.code == 2 && ran.stderr.contains("it would be overwritten"), "{name}: {}", ran.stderr);
        }
        assert!(read(name) == before, "{name}");
    }
    assert_eq!(place.run(&["baseline", "image.tar", "-o", "known.json"]).code, 0, "a baseline may be made anew");
}

#[test]
fn what_is_ignored_is_in_no_baseline() {
    let place = Place::with(&deleted());
    place.write(".pentimentoignore", "path:app/* until 2999-01-31 # a while\n");
    let ran = place.run(&["baseline", "image.tar"]);
    assert_eq!((ran.code, serde_json::from_str::<Value>(&ran.stdout).expect("JSON")["findings"].clone()), (0, json!([])));
}

#[test]
fn the_command_line_beats_the_environment_beats_the_file() {
    let place = Place::with(&deleted());
    place.write("pentimento.toml", "[fail-on]\nfate = \"present\"\n\n[scan]\nexit-code = 7\n");
    let code = |arguments: &[&str], variables: &[(&str, &str)]| {
        place.run_in(place.path(), &[&["scan", "image.tar"], arguments].concat(), variables).code
    };
    assert_eq!(code(&[], &[]), 0);
    assert_eq!(code(&[], &[("PENTIMENTO_FAIL_ON", "hidden")]), 7);
    assert_eq!(code(&["--fail-on", "present"], &[("PENTIMENTO_FAIL_ON", "hidden")]), 0);
    assert_eq!(code(&["--fail-on", "any"], &[]), 7);
    assert_eq!(code(&["--fail-on", "any"], &[("PENTIMENTO_EXIT_CODE", "8")]), 8);
    assert_eq!(code(&["--fail-on", "any", "--exit-code", "9"], &[("PENTIMENTO_EXIT_CODE", "8")]), 9);
    // One that is set to nothing is not there; one with nonsense is an error.
    assert_eq!(code(&[], &[("PENTIMENTO_FAIL_ON", "")]), 0);
    assert_eq!(code(&[], &[("PENTIMENTO_FAIL_ON", "hiden")]), 2);
    assert_eq!(code(&["--no-config"], &[]), 1);
    assert_eq!(code(&[], &[("PENTIMENTO_NO_CONFIG", "1")]), 1);
    assert_eq!(code(&["--config", "pentimento.toml"], &[("PENTIMENTO_NO_CONFIG", "1")]), 0);
    assert_eq!(code(&["--config", "pentimento.toml", "--no-config"], &[]), 2);
}

#[test]
fn flags_and_lists_come_from_the_environment() {
    let place = Place::with(&deleted());
    let scan = |variables: &[(&str, &str)]| place.run_in(place.path(), &["scan", "image.tar"], variables);
    for (value, shown) in [("1", true), ("true", true), ("TRUE", true), ("yes", true), ("0", false), ("false", false), ("", false)] {
        let ran = scan(&[("PENTIMENTO_SHOW_SECRETS", value)]);
        assert_eq!((ran.code, ran.stdout.contains(&token("policy"))), (1, shown), "{value}: {}", ran.stderr);
    }
    assert_eq!(scan(&[("PENTIMENTO_SHOW_SECRETS", "maybe")]).code, 2);
    let json = scan(&[("PENTIMENTO_FORMAT", "json"), ("PENTIMENTO_DISABLE", "generic-token, github-personal-access-token")]);
    assert_eq!((json.code, &json.json()["findings"]), (0, &json!([])), "{}", json.stderr);
    let rule = |id: &str| {
        format!(
            "[[rule]]\nid = \"{id}\"\ntitle = \"T\"\nseverity = \"low\"\nliterals = [\"{id}_\"]\nregex = '{id}_[a-z]{{8}}'\n\
             match = [\"{id}_abcdefgh\"]\n"
        )
    };
    let paths = [place.write("one.toml", rule("qqa")), place.write("two.toml", rule("qqb"))].join(":");
    let list = place.run_in(place.path(), &["rules", "list"], &[("PENTIMENTO_RULES", &paths)]);
    assert!(list.stdout.contains("\nqqa ") && list.stdout.contains("\nqqb "), "{}", list.stderr);
    let diff = place.run_in(place.path(), &["diff", "image.tar", "image.tar"], &[("PENTIMENTO_FAIL_ON", "present")]);
    assert_eq!(diff.code, 0, "another option of the same name has another variable: {}", diff.stderr);
    let help = place.run(&["scan", "--help"]);
    assert!(help.stdout.contains("PENTIMENTO_MIN_CONFIDENCE"), "{}", help.stdout);
}

#[test]
fn the_configuration_is_found_upward_and_named() {
    let place = Place::with(&deleted());
    place.write("pentimento.toml", "[fail-on]\nfate = \"present\"\n");
    let below = place.path().join("a/b");
    std::fs::create_dir_all(&below).expect("a directory");
    let run = |more: &[&str]| place.run_in(&below, &[&["scan", "../../image.tar", "--format", "json"], more].concat(), &[]);
    let ran = run(&[]);
    assert_eq!((ran.code, &ran.json()["gate"]["config"]), (0, &json!("../../pentimento.toml")));
    assert!(ran.stderr.contains("using ../../pentimento.toml"), "{}", ran.stderr);
    assert!(!run(&["--quiet"]).stderr.contains("using"), "quiet");
    let named = run(&["--config", "../../pentimento.toml"]);
    assert!(named.code == 0 && !named.stderr.contains("using"), "{}", named.stderr);
    // A repository is where it ends.
    std::fs::create_dir_all(place.path().join("a/.git")).expect("a directory");
    assert_eq!(run(&[]).code, 1);
    place.write("a/b/.pentimentoignore", "path:app/* until never # made up\n");
    let ran = run(&[]);
    assert_eq!((ran.code, &ran.json()["gate"]["ignore_file"]), (0, &json!(".pentimentoignore")));
}

#[test]
fn nothing_in_a_target_decides_about_it() {
    let place = Place { dir: temporary() };
    let layout = place.path().join("layout");
    crate::support::unpack(&deleted().oci_archive(crate::support::Packing::None), &layout);
    std::fs::write(layout.join("pentimento.toml"), "[fail-on]\nfate = \"none\"\n").expect("a file");
    std::fs::write(layout.join(".pentimentoignore"), "path:** until never # nothing to see\n").expect("a file");
    let ran = place.run_in(&layout, &["scan", "."], &[]);
    assert_eq!(ran.code, 1, "{}", ran.stdout);
    assert!(ran.stderr.contains("pentimento.toml is not used: it is in the target"), "{}", ran.stderr);
    assert!(ran.stderr.contains(".pentimentoignore is not used: it is in the target"), "{}", ran.stderr);
    // Who names it wants it.
    assert_eq!(place.run_in(&layout, &["scan", ".", "--config", "pentimento.toml"], &[]).code, 0);
    // However the target is called, and wherever we are in it.
    place.write("layout/within/a.env", format!("GITHUB_TOKEN={}\n", token("policy")));
    let root = layout.display().to_string();
    for prefix in ["", "oci:", "rootfs:", "dir:"] {
        for (dir, relative) in [(layout.clone(), "."), (layout.join("within"), "..")] {
            for target in [relative, &root] {
                let ran = place.run_in(&dir, &["scan", &format!("{prefix}{target}")], &[]);
                assert_eq!(ran.code, 1, "{prefix}{target} in {}: {}", dir.display(), ran.stderr);
                assert_eq!(ran.stderr.matches("is not used: it is in the target").count(), 2, "{}", ran.stderr);
            }
        }
    }
}

#[test]
fn a_configuration_that_is_found_names_only_images_on_the_disk() {
    let place = Place::with(&present());
    place.write("base.tar", TestImage::new().layer([put("etc/os-release", "ID=x\n")]).docker_save());
    for base in ["registry://registry.invalid/app", "docker://app", "podman://app", "app:1", "-"] {
        place.write("pentimento.toml", format!("[scan]\nbase = \"{base}\"\n"));
        let ran = place.scan(&[]);
        let told = "pentimento.toml:2:8: a configuration that is found names no image that is not a file or directory";
        assert!(ran.code == 2 && ran.stderr.contains(told), "{base}: {}", ran.stderr);
        // The command line beats it.
        assert_eq!(place.scan(&["--base", "base.tar"]).code, 1, "{base}");
    }
    // Who names the configuration may name anything.
    place.write("pentimento.toml", "[scan]\noffline = true\nbase = \"registry://registry.invalid/app\"\n");
    let ran = place.scan(&["--config", "pentimento.toml"]);
    assert!(ran.code == 2 && ran.stderr.contains("--base: "), "{}", ran.stderr);
    place.write("pentimento.toml", "[scan]\nbase = \"base.tar\"\n");
    assert_eq!(place.scan(&[]).code, 1);
    std::fs::create_dir_all(place.path().join("below")).expect("a directory");
    assert_eq!(place.run_in(&place.path().join("below"), &["scan", "../image.tar"], &[]).code, 1);
}

/// A checkout below a directory with things that are none of its business.
#[cfg(unix)]
fn checkout() -> (Place, PathBuf) {
    let place = Place::with(&deleted());
    place.write("outside/secret.txt", "hunter2 rules\n");
    place.write("outside/rule.toml", "[[rule]]\nhunter2 = 3\n");
    place.write("repo/.git/HEAD", "");
    place.write("repo/rules/own.toml", "");
    let repo = place.path().join("repo");
    (place, repo)
}

#[cfg(unix)]
#[test]
fn a_configuration_that_is_found_reads_nothing_outside() {
    use std::os::unix::fs::symlink;
    let (place, repo) = checkout();
    let scan = || place.run_in(&repo, &["scan", "../image.tar"], &[]);
    let outside = place.path().join("outside");
    symlink(outside.join("secret.txt"), repo.join("link")).expect("a link");
    let whole = outside.join("secret.txt").display().to_string();
    for option in ["ignore-file", "baseline", "dockerfile", "rules", "base"] {
        for path in [&whole, "../outside/secret.txt", "link", "rules/../../outside/secret.txt"] {
            place.write("repo/pentimento.toml", format!("[scan]\n{option} = \"{path}\"\n"));
            let ran = scan();
            let told = format!("`{option}` leads out of the directory in which the configuration was found");
            assert!(ran.code == 2 && ran.stderr.contains(&told) && !ran.stderr.contains("hunter2"), "{path}: {}", ran.stderr);
        }
    }
    // In a directory of rules, too.
    place.write("repo/pentimento.toml", "[scan]\nrules = \"rules\"\n");
    assert_eq!(scan().code, 1);
    symlink(outside.join("rule.toml"), repo.join("rules/link.toml")).expect("a link");
    assert!(scan().stderr.contains("`rules` leads out"), "{}", scan().stderr);
}

#[cfg(unix)]
#[test]
fn a_found_file_that_is_a_link_out_of_its_directory_is_not_used() {
    use std::os::unix::fs::symlink;
    let (place, repo) = checkout();
    place.write("outside/all.toml", "[fail-on]\nfate = \"none\"\n");
    place.write("outside/all", "path:** until never # all\n");
    symlink("../outside/all.toml", repo.join("pentimento.toml")).expect("a link");
    symlink("../outside/all", repo.join(".pentimentoignore")).expect("a link");
    let ran = place.run_in(&repo, &["scan", "../image.tar"], &[]);
    assert_eq!((ran.code, ran.stderr.matches("is not used: it is a link out of its directory").count()), (1, 2), "{}", ran.stderr);
    assert_eq!(place.run_in(&repo, &["scan", "../image.tar", "--config", "pentimento.toml"], &[]).code, 0);
    // Within the directory a link is as good as a file.
    std::fs::remove_file(repo.join("pentimento.toml")).expect("the link");
    place.write("repo/ci/all.toml", "[fail-on]\nfate = \"none\"\n");
    symlink("ci/all.toml", repo.join("pentimento.toml")).expect("a link");
    assert_eq!(place.run_in(&repo, &["scan", "../image.tar"], &[]).code, 0);
}

#[test]
fn what_is_not_understood_is_not_quoted() {
    let place = Place::with(&deleted());
    let secrets =
        ["PASSWORD=hunter2\n", "hunter2\n", "x: hunter2\n", "PASSWORD = \"hunter2\"\nscan = \"hunter2\"\n", "rules:\n- name: [hunter2\n"];
    let baseline = "{\"pentimento_baseline\": 1, \"tool\": \"x\", \"findings\": \"hunter2\"}";
    for text in secrets.into_iter().chain(["id: hunter2", "secret:hunter2 until never", "path:[hunter2 until", baseline]) {
        for name in ["other.env", "rules.toml", "rules.yml"] {
            place.write(name, text);
        }
        for option in
            ["--ignore-file=other.env", "--dockerfile=other.env", "--baseline=other.env", "--config=other.env", "--rules=rules.toml"]
        {
            let ran = place.run(&["scan", "image.tar", option]);
            assert!(ran.code == 2 || text == baseline, "{option} {text}: {}", ran.code);
            assert!(!ran.stderr.contains("hunter2") && !ran.stdout.contains("hunter2"), "{option} {text}: {}", ran.stderr);
        }
        assert!(!place.run(&["scan", "image.tar", "--rules", "rules.yml"]).stderr.contains("hunter2"), "{text}");
    }
}

#[test]
fn paths_of_the_file_count_from_the_file() {
    let place = Place::with(&deleted());
    place.run(&["baseline", "image.tar", "-o", "known.json"]);
    place.write("pentimento.toml", "[scan]\nbaseline = \"known.json\"\n");
    let below: PathBuf = place.path().join("below");
    std::fs::create_dir_all(&below).expect("a directory");
    let ran = place.run_in(&below, &["scan", "../image.tar", "--format", "json"], &[]);
    assert_eq!((ran.code, &ran.json()["gate"]["baseline"]["file"]), (0, &json!("../known.json")), "{}", ran.stderr);
    // The command that writes it does not read it, and takes what else it knows.
    place.write("pentimento.toml", "[scan]\nbaseline = \"known.json\"\ndisable = [\"github-personal-access-token\", \"generic-token\"]\n");
    let ran = place.run(&["baseline", "image.tar"]);
    assert_eq!(serde_json::from_str::<Value>(&ran.stdout).expect("JSON")["findings"], json!([]), "{}", ran.stderr);
}

#[test]
fn the_summary_says_what_failed_and_what_to_do() {
    let image = deleted().layer([put("b.env", "DB_PASSWORD=Zw8Kp9xQ2mZ7\n")]);
    let place = Place::with(&image);
    place.write("pentimento.toml", "[fail-on]\nseverity = \"critical\"\n");
    let ran = place.run(&["scan", "image.tar"]);
    let id = id_of(&place.scan(&[]).json());
    for expected in [
        "FAILED: 1 of 2 findings (1 critical): severity critical or worse (with pentimento.toml)",
        "passed: 1 finding, by severity",
        "verdict: found",
        &format!("pentimento recover image.tar {id}"),
        &format!("echo '{id} until "),
        "pentimento baseline image.tar -o baseline.json",
    ] {
        assert!(ran.stdout.contains(expected), "{expected}: {}", ran.stdout);
    }
    // The line that it gives is one that is understood.
    let line = ran.stdout.lines().find_map(|line| line.split_once("echo '")?.1.split_once('\'')).expect("a line").0.to_owned();
    place.write(".pentimentoignore", format!("{line}\n"));
    assert_eq!(place.run(&["scan", "image.tar"]).code, 0);
    let notes = place.run(&["scan", "image.tar", "--fail-on-notes=runs-as-root"]);
    assert!(notes.code == 1 && notes.stdout.contains("FAILED: notes (--fail-on-notes): runs-as-root"), "{}", notes.stdout);
}

#[test]
fn a_configuration_to_begin_with_changes_nothing() {
    let place = Place::with(&deleted());
    let before = place.scan(&["--no-config"]).json();
    assert_eq!(place.run(&["init"]).code, 0);
    let ran = place.scan(&[]);
    assert_eq!((ran.code, &ran.json()["findings"], &ran.json()["gate"]["config"]), (1, &before["findings"], &json!("pentimento.toml")));
    let again = place.run(&["init"]);
    assert!(again.code == 2 && again.stderr.contains("pentimento.toml"), "it is never overwritten: {}", again.stderr);
}

#[test]
fn gates_fit_the_schema() {
    let place = Place::with(&deleted().layer([put("b.env", "DB_PASSWORD=Zw8Kp9xQ2mZ7\n")]));
    let schema: Value = place.run(&["schema"]).json();
    let validator = jsonschema::validator_for(&schema).expect("a schema");
    place.run(&["baseline", "image.tar", "-o", "b.json"]);
    let entries = "path:b.env until 2999-01-01 # one\npath:app/* until 2020-01-01 # two\nrule:x until never # three\n";
    place.write(".pentimentoignore", entries);
    for options in [&[][..], &["--show-ignored"], &["--baseline", "b.json", "--no-config"], &["--fail-on", "none", "--fail-on-notes"]] {
        let report = place.scan(options).json();
        let errors: Vec<String> = validator.iter_errors(&report).map(|e| format!("{}: {e}", e.instance_path())).collect();
        assert!(errors.is_empty(), "{errors:?}");
    }
}

#[test]
fn what_cannot_be_or_could_let_all_pass_is_told_before_the_scan() {
    let place = Place::with(&deleted());
    for (arguments, why) in [
        (vec!["--fail-on-provider", "github", "--except-provider", "github"], "nothing could fail"),
        (vec!["-o", "no/such/place.json"], "no directory"),
        (vec!["--fail-on-notes=layer-missing"], "this is a problem, never a note"),
        (vec!["--fail-on-notes=no-such-code"], "no note with this code"),
    ] {
        let ran = place.run(&[&["scan", "image.tar"], &arguments[..]].concat());
        assert!(ran.code == 2 && ran.stderr.contains(why), "{arguments:?}: {} {}", ran.code, ran.stderr);
    }
}

/// A prefix has a colon, which separates paths elsewhere.
#[test]
fn outputs_of_the_environment_are_separated_by_commas() {
    let place = Place::with(&deleted());
    let ran = place.run_in(place.path(), &["scan", "image.tar"], &[("PENTIMENTO_OUTPUT", "gitlab:a.json,junit:b.xml")]);
    let written = |name: &str| std::fs::read_to_string(place.path().join(name)).unwrap_or_default();
    assert!(written("a.json").contains("vulnerabilities") && written("b.xml").contains("<testsuites"), "{}", ran.stderr);
}
