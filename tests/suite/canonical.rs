//! The case that must always work: a password written by one step and overwritten by the next.

use crate::support::{TestImage, layer_tar, put, run_with};

fn image() -> TestImage {
    TestImage::new()
        .step("/bin/sh -c echo \"mypassword\" > /tmp/pass.txt", &layer_tar(&[put("tmp/pass.txt", "mypassword\n")]))
        .step("/bin/sh -c echo \"delete password\" > /tmp/pass.txt", &layer_tar(&[put("tmp/pass.txt", "delete password\n")]))
}

#[test]
fn the_overwritten_password_is_reported_in_the_file_and_in_the_history() {
    for (layout, archive) in image().layouts() {
        let run = run_with(["scan", "-", "--format", "json", "--show-secrets"], &archive);
        assert_eq!(run.code, 1, "{layout}: {}", run.stderr);
        let report = run.json();
        let findings = report["findings"].as_array().expect("findings");
        assert!(findings.iter().all(|f| f["secret"]["value"] == "mypassword"), "{layout}: {findings:#?}");
        let file = findings.iter().find(|f| f["location"]["kind"] == "file").expect("the file");
        assert_eq!(file["location"]["path"], "tmp/pass.txt");
        assert_eq!((&file["location"]["layer"], &file["fate"]["by_layer"]), (&0.into(), &1.into()));
        assert_eq!(file["fate"]["state"], "overwritten");
        assert_eq!(file["instruction"], "RUN echo \"mypassword\" > /tmp/pass.txt");
        assert_eq!(file["fate"]["by_instruction"], "RUN echo \"delete password\" > /tmp/pass.txt");
        let history = findings.iter().find(|f| f["location"]["kind"] == "history").expect("the history");
        assert_eq!(history["location"]["pointer"], "/history/0/created_by");
        assert_eq!(file["secret"]["group"], history["secret"]["group"]);
        assert_eq!(report["complete"], true);
    }
}

#[test]
fn nothing_shows_the_password_unless_asked() {
    let archive = image().docker_save();
    for format in ["json", "human"] {
        let run = run_with(["scan", "-", "--format", format, "--color", "always"], &archive);
        assert_eq!(run.code, 1);
        assert!(!run.stdout.contains("mypassword") && !run.stderr.contains("mypassword"), "{}", run.stdout);
        assert!(run.stdout.contains("tmp/pass.txt"));
    }
}

#[test]
fn what_is_left_is_only_a_hint() {
    let run = run_with(["scan", "-", "--format", "json", "--show-secrets", "--min-confidence", "low"], &image().docker_save());
    let report = run.json();
    let left = report["findings"].as_array().expect("findings").iter().find(|f| f["secret"]["value"] == "delete password");
    assert_eq!(left.map(|f| &f["confidence"]), Some(&"low".into()));
}
