//! Where reports go, and in which formats.

use super::scan::{Inputs, check_output, style, to_file};
use super::{When, read, unless_gone};
use anyhow::{Context, Result, bail};
use clap::ValueEnum;
use clap::builder::PossibleValue;
use pentimento::dockerfile::Dockerfile;
use pentimento::report::{self, Format, Report, Scanned, Span, Style, words};
use pentimento::text::sanitise;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

/// Options that say how reports are written.
#[derive(clap::Args)]
pub struct OutputArgs {
    /// How the report is written (default: human)
    #[arg(long, value_enum, value_name = "FORMAT", ignore_case = true)]
    format: Option<ReportArg>,
    /// Write the report to FILE, which appears whole or not at all; `-` is standard output. May be given several times: each has the format
    /// of its prefix (`gitlab:gl-secret-detection-report.json`) or of its ending (.json .jsonl .sarif .xml (junit) .md .csv .html .txt)
    #[arg(short, long, value_name = "[FORMAT:]FILE")]
    output: Vec<PathBuf>,
    /// The Dockerfile that the image was built from: findings point at its lines, where it agrees with the image's history. With several
    /// images it is compared with each of them
    #[arg(long, value_name = "PATH")]
    dockerfile: Option<PathBuf>,
}

/// How a report is written.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum ReportArg {
    Human,
    Json,
    Jsonl,
    Sarif,
    Gitlab,
    Junit,
    Markdown,
    Csv,
    Html,
}

impl From<ReportArg> for Format {
    fn from(arg: ReportArg) -> Format {
        match arg {
            ReportArg::Human => Format::Human,
            ReportArg::Json => Format::Json,
            ReportArg::Jsonl => Format::Jsonl,
            ReportArg::Sarif => Format::Sarif,
            ReportArg::Gitlab => Format::Gitlab,
            ReportArg::Junit => Format::Junit,
            ReportArg::Markdown => Format::Markdown,
            ReportArg::Csv => Format::Csv,
            ReportArg::Html => Format::Html,
        }
    }
}

/// One report to be written.
struct Output {
    format: Format,
    /// None for standard output.
    path: Option<PathBuf>,
}

/// All reports to be written, and what has to be read for them.
pub struct Outputs {
    outputs: Vec<Output>,
    dockerfile: Option<(Dockerfile, String)>,
}

impl Outputs {
    /// What the options ask for; wrong ones are told before anything is scanned.
    pub fn of<'a>(args: &'a OutputArgs, mut inputs: Inputs<'a>) -> Result<Outputs> {
        inputs.files.extend(args.dockerfile.as_deref());
        let outputs = outputs(args.format, &args.output)?;
        let mut places: Vec<PathBuf> = Vec::new();
        for Output { path, .. } in &outputs {
            if let Some(path) = path {
                check_output(path, &inputs)?;
            }
            let place = place(path.as_deref().unwrap_or(Path::new(STDOUT)));
            if places.contains(&place) {
                bail!("two reports to one place: {}", path.as_deref().map_or("standard output".into(), Path::to_string_lossy));
            }
            places.push(place);
        }
        Ok(Outputs { outputs, dockerfile: args.dockerfile.as_deref().map(dockerfile).transpose()? })
    }

    /// True if a report tells every file's fate.
    pub fn want_census(&self) -> bool {
        self.outputs.iter().any(|output| output.format == Format::Html)
    }

    /// Points findings at the Dockerfile, if there is one.
    pub fn locate(&self, report: &mut Report, scanned: &[Scanned]) {
        let Some((dockerfile, path)) = &self.dockerfile else { return };
        for image in report::dockerfile::locate(report, scanned, dockerfile, path) {
            let image = &report.images[image];
            let name = sanitise(&format!("{} ({})", image.source, read::name_of(&image.names)));
            eprintln!("pentimento: --dockerfile: {} does not agree with the history of {name}: its findings have no lines", sanitise(path));
        }
    }

    /// Writes them all. Where one cannot be written, the others are all the same.
    pub fn write(&self, report: &Report, span: Span, color: When, quiet: bool) -> Result<()> {
        let mut failed = Vec::new();
        for Output { format, path } in &self.outputs {
            let result = match path {
                Some(path) => {
                    let style = Style { color: matches!(color, When::Always), width: 100 };
                    to_file(path, |out| report::write(*format, style, span, report, out))
                }
                None => to_stdout(|out| report::write(*format, style(color), span, report, out)),
            };
            failed.extend(result.err());
        }
        if let Some(error) = failed.pop() {
            let others: Vec<String> = failed.iter().map(|e| format!("{e:#}")).collect();
            return Err(if others.is_empty() { error } else { error.context(others.join("\n")) });
        }
        let files: Vec<_> = self.outputs.iter().filter_map(|output| output.path.as_deref()).map(Path::to_string_lossy).collect();
        if files.len() == self.outputs.len() && !quiet {
            let complete = if report.complete { "" } else { "; NOT everything could be read" };
            let line = format!("{}: {}{complete} ({})", report.verdict, words::counts(report), files.join(", "));
            eprintln!("pentimento: {}", sanitise(&line));
        }
        Ok(())
    }
}

/// Each output with its format.
fn outputs(format: Option<ReportArg>, outputs: &[PathBuf]) -> Result<Vec<Output>> {
    let only = outputs.len() <= 1;
    if outputs.is_empty() {
        return Ok(vec![Output { format: format.map_or(Format::Human, Format::from), path: None }]);
    }
    let one = |output: &PathBuf| {
        let (prefix, path) = split(output)?;
        let format = match (prefix, format) {
            (Some(prefix), Some(format)) if prefix != format => {
                bail!("{}: --format says another format than the prefix: leave one of them out", output.display())
            }
            (Some(prefix), _) => prefix,
            (None, Some(format)) if only => format,
            (None, Some(format)) => {
                let name = format.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default();
                bail!(
                    "--format is for one output. With several, each has the format of its ending, or of a prefix: `-o {name}:{}`",
                    output.display()
                )
            }
            (None, None) => by_ending(&path),
        };
        Ok(Output { format: format.into(), path: (path != Path::new("-")).then_some(path) })
    };
    outputs.iter().map(one).collect()
}

/// `sarif:report.json`. A file whose name begins like that is `./sarif:report.json`; one letter is a drive of Windows.
fn split(output: &Path) -> Result<(Option<ReportArg>, PathBuf)> {
    let is_word = |prefix: &str| prefix.len() > 1 && prefix.bytes().all(|b| b.is_ascii_alphabetic());
    let prefix = output.to_str().and_then(|text| text.split_once(':')).filter(|(prefix, _)| is_word(prefix));
    let Some((prefix, file)) = prefix else { return Ok((None, output.to_owned())) };
    match ReportArg::from_str(prefix, true) {
        Ok(format) if !file.is_empty() => Ok((Some(format), PathBuf::from(file))),
        Ok(_) => bail!("{}: which file? (`{prefix}:FILE`)", output.display()),
        Err(_) => {
            let formats: Vec<_> = ReportArg::value_variants().iter().filter_map(ReportArg::to_possible_value).collect();
            let formats: Vec<&str> = formats.iter().map(PossibleValue::get_name).collect();
            bail!("there is no format {prefix}: there are {}; a file of this name is `./{}`", formats.join(", "), output.display())
        }
    }
}

fn by_ending(path: &Path) -> ReportArg {
    let ending = path.extension().and_then(|ending| ending.to_str()).unwrap_or_default().to_ascii_lowercase();
    match ending.as_str() {
        "json" => ReportArg::Json,
        "jsonl" | "ndjson" => ReportArg::Jsonl,
        "sarif" => ReportArg::Sarif,
        "xml" => ReportArg::Junit,
        "md" | "markdown" => ReportArg::Markdown,
        "csv" => ReportArg::Csv,
        "html" | "htm" => ReportArg::Html,
        _ => ReportArg::Human,
    }
}

/// What standard output is called, where it is a file: by this name, and by others.
const STDOUT: &str = "/dev/stdout";
const STDOUT_TOO: [&str; 2] = ["/dev/fd/1", "/proc/self/fd/1"];

/// Where a file is or will be, whatever it is called.
fn place(path: &Path) -> PathBuf {
    let path = if STDOUT_TOO.iter().any(|name| path == Path::new(name)) { Path::new(STDOUT) } else { path };
    let parent = path.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let new = || Some(parent.canonicalize().ok()?.join(path.file_name()?));
    path.canonicalize().ok().or_else(new).unwrap_or_else(|| path.to_owned())
}

/// Reads a Dockerfile. Its name in reports is relative to the working directory, where it is below it: code scanning wants it like that.
fn dockerfile(path: &Path) -> Result<(Dockerfile, String)> {
    /// No Dockerfile is as long, in bytes.
    const MOST: u64 = 16 << 20;
    let cannot = || format!("cannot read --dockerfile {}", path.display());
    let mut bytes = Vec::new();
    io::Read::read_to_end(&mut io::Read::take(std::fs::File::open(path).with_context(cannot)?, MOST), &mut bytes).with_context(cannot)?;
    let dockerfile = Dockerfile::parse(&String::from_utf8_lossy(&bytes)).with_context(|| format!("--dockerfile {}", path.display()))?;
    let here = std::env::current_dir().and_then(|dir| dir.canonicalize()).ok();
    let whole = path.canonicalize().ok();
    let below = whole.as_deref().zip(here.as_deref()).and_then(|(whole, here)| whole.strip_prefix(here).ok());
    Ok((dockerfile, below.unwrap_or(path).to_string_lossy().into_owned()))
}

fn to_stdout(write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<()> {
    let mut out = BufWriter::new(io::stdout().lock());
    Ok(unless_gone(write(&mut out).and_then(|()| out.flush()))?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(format: Option<ReportArg>, files: &[&str]) -> Result<Vec<(Format, Option<String>)>> {
        let files: Vec<PathBuf> = files.iter().map(PathBuf::from).collect();
        let all = outputs(format, &files)?.into_iter();
        Ok(all.map(|output| (output.format, output.path.map(|path| path.display().to_string()))).collect())
    }

    #[test]
    fn a_format_comes_from_the_prefix_the_option_or_the_ending() {
        let file = |name: &str| Some(name.to_owned());
        for (format, files, expected) in [
            (None, vec![], vec![(Format::Human, None)]),
            (Some(ReportArg::Sarif), vec![], vec![(Format::Sarif, None)]),
            (Some(ReportArg::Json), vec!["x.html"], vec![(Format::Json, file("x.html"))]),
            (Some(ReportArg::Json), vec!["-"], vec![(Format::Json, None)]),
            (None, vec!["gitlab:a.json"], vec![(Format::Gitlab, file("a.json"))]),
            (None, vec!["./gitlab:a.json", "c:d"], vec![(Format::Json, file("./gitlab:a.json")), (Format::Human, file("c:d"))]),
            (
                None,
                vec!["A.SARIF", "b.xml", "csv:-"],
                vec![(Format::Sarif, file("A.SARIF")), (Format::Junit, file("b.xml")), (Format::Csv, None)],
            ),
        ] {
            assert_eq!(told(format, &files).expect("outputs"), expected);
        }
        assert!(told(Some(ReportArg::Json), &["a", "b"]).is_err_and(|e| e.to_string().contains("-o json:a")));
        assert!(told(Some(ReportArg::Json), &["sarif:a"]).is_err());
        assert_eq!(told(None, &["SARIF:x.out"]).expect("an output"), [(Format::Sarif, file("x.out"))]);
        assert_eq!(told(None, &["C:\\x.json"]).expect("an output"), [(Format::Json, file("C:\\x.json"))]);
        assert!(told(None, &["sarfi:y.json"]).is_err_and(|e| e.to_string().contains("`./sarfi:y.json`")));
        assert!(told(None, &["sarif:"]).is_err_and(|e| e.to_string().contains("which file?")));
    }
}
