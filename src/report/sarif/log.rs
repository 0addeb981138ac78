//! The parts of SARIF 2.1.0 (docs.oasis-open.org/sarif/sarif/v2.1.0) that code scanning reads, named as the standard names them.

use serde::Serialize;
use std::collections::BTreeMap;

#[derive(Serialize)]
pub struct Log<'a> {
    #[serde(rename = "$schema")]
    pub schema: &'static str,
    pub version: &'static str,
    pub runs: [Run<'a>; 1],
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Run<'a> {
    pub tool: Tool<'a>,
    pub automation_details: AutomationDetails,
    pub invocations: [Invocation<'a>; 1],
    pub results: Vec<Result<'a>>,
    pub logical_locations: Vec<LogicalLocation>,
    pub properties: RunProperties<'a>,
}

#[derive(Serialize)]
pub struct Tool<'a> {
    pub driver: Driver<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Driver<'a> {
    pub name: &'a str,
    pub version: &'a str,
    pub semantic_version: &'a str,
    pub rules: Vec<Rule<'a>>,
}

#[derive(Serialize)]
pub struct AutomationDetails {
    pub id: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Invocation<'a> {
    pub execution_successful: bool,
    pub tool_execution_notifications: Vec<Notification<'a>>,
}

#[derive(Serialize)]
pub struct Notification<'a> {
    pub descriptor: Descriptor<'a>,
    pub level: &'static str,
    pub message: Text,
}

#[derive(Serialize)]
pub struct Descriptor<'a> {
    pub id: &'a str,
}

#[derive(Serialize)]
pub struct Text {
    pub text: String,
}

#[derive(Serialize)]
pub struct Help {
    pub text: String,
    pub markdown: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Rule<'a> {
    pub id: &'a str,
    pub name: String,
    pub short_description: Text,
    pub full_description: Text,
    pub help: Help,
    pub default_configuration: Configuration,
    pub properties: RuleProperties<'a>,
}

#[derive(Serialize)]
pub struct Configuration {
    pub level: &'static str,
}

/// `security-severity` is a number in a string: from 9.0 on critical, 7.0 high, 4.0 medium, else low.
#[derive(Serialize)]
pub struct RuleProperties<'a> {
    pub tags: Vec<&'a str>,
    #[serde(rename = "security-severity")]
    pub security_severity: &'static str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Result<'a> {
    pub rule_id: &'a str,
    pub rule_index: usize,
    pub level: &'static str,
    pub message: Text,
    pub locations: [Location; 1],
    pub partial_fingerprints: BTreeMap<&'static str, String>,
    pub properties: ResultProperties<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Location {
    pub physical_location: PhysicalLocation,
    pub logical_locations: [LogicalReference; 1],
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PhysicalLocation {
    pub artifact_location: ArtifactLocation,
    pub region: Region,
}

#[derive(Serialize)]
pub struct ArtifactLocation {
    pub uri: String,
}

/// Whole lines: columns count characters here (3.30.6), and bytes in our reports.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Region {
    pub start_line: u64,
    pub end_line: u64,
}

/// One of `run.logicalLocations`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LogicalReference {
    pub index: usize,
    pub fully_qualified_name: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LogicalLocation {
    pub name: String,
    pub fully_qualified_name: String,
    pub kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parent_index: Option<usize>,
}

/// What the JSON report says of a finding and SARIF has no place for. Columns and offsets count bytes.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ResultProperties<'a> {
    pub severity: &'a str,
    pub confidence: &'a str,
    pub fate: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fate_how: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub by_layer: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub by_instruction: Option<String>,
    pub recoverable: bool,
    /// The gate fails because of it.
    pub fails: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub layer: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub diff_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub instruction: Option<String>,
    pub kind: &'a str,
    pub line: u64,
    pub column: u64,
    pub offset: u64,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RunProperties<'a> {
    pub verdict: &'a str,
    pub complete: bool,
    pub counts: String,
    /// Results in this file, and findings in the report: fewer where limits cut.
    pub listed: usize,
    pub found: usize,
    pub not_listed: BTreeMap<&'a str, u64>,
}
