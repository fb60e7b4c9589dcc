//! Links between the documents, so that nothing is written where nobody arrives.

use std::collections::BTreeSet;

use super::files::{Files, Text};

pub(super) fn check(files: &Files, complaints: &mut Vec<String>) {
    let documents = files.texts.iter().filter(|text| text.path.ends_with(".md"));
    let mut reached = BTreeSet::new();
    for document in documents.clone() {
        for target in local_targets(&document.content) {
            let path = resolve(&document.path, target);
            if !files.root.join(&path).exists() {
                complaints.push(format!(
                    "{}: the link {target} leads nowhere",
                    document.path
                ));
            }
            if path != document.path {
                reached.insert(path);
            }
        }
    }
    for Text { path, .. } in documents.filter(|text| text.path.starts_with("docs/")) {
        if !reached.contains(path) {
            complaints.push(format!("{path}: no other document links here"));
        }
    }
}

/// Targets of Markdown links `[text](target)` to files, without their fragments.
fn local_targets(markdown: &str) -> impl Iterator<Item = &str> {
    let mut in_code = false;
    let prose = markdown.lines().filter(move |line| {
        let fence = line.trim_start().starts_with("```");
        in_code ^= fence;
        !in_code && !fence
    });
    prose
        .flat_map(|line| line.split("](").skip(1))
        .filter_map(|rest| rest.split_once(')').map(|(target, _)| target))
        .filter_map(|target| target.split('#').next())
        .filter(|target| !target.is_empty() && !target.contains(':') && !target.contains(' '))
}

/// The path below the root that a link in the document `from` leads to.
fn resolve(from: &str, target: &str) -> String {
    let mut parts: Vec<&str> = from.split('/').collect();
    parts.pop();
    for part in target.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            name => parts.push(name),
        }
    }
    parts.join("/")
}

#[cfg(test)]
mod tests {
    use super::{local_targets, resolve};

    #[test]
    fn links_to_files_are_found() {
        let text = "see [a](b.md#part) and [c](https://example.org)\n```\n[d](e.md)\n```\n[f](g)";
        assert_eq!(local_targets(text).collect::<Vec<_>>(), ["b.md", "g"]);
    }

    #[test]
    fn links_are_relative_to_their_document() {
        assert_eq!(
            resolve("docs/formats/log.md", "../testing.md"),
            "docs/testing.md"
        );
        assert_eq!(resolve("README.md", "./docs/testing.md"), "docs/testing.md");
    }
}
