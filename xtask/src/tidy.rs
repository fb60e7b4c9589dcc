//! The laws of the house that no compiler knows.
//!
//! `cargo xtask tidy` prints what breaks them, and the test at the end of this file fails on it,
//! so that plain `cargo test` finds it too.

use std::path::Path;

use anyhow::{Context, Result};
use cargo_metadata::{Metadata, MetadataCommand};

mod files;
mod links;
mod manifests;

use files::Files;

/// Everything that is out of order, one line each: where, and what to do about it.
pub(crate) fn check(root: &Path) -> Result<Vec<String>> {
    let files = Files::read(root)?;
    let workspace = metadata(root)?;
    let mut complaints = Vec::new();
    manifests::check(&workspace, &mut complaints)?;
    files::check(&files, &mut complaints);
    links::check(&files, &mut complaints);
    Ok(complaints)
}

/// The workspace's own packages, as cargo reads them.
fn metadata(root: &Path) -> Result<Metadata> {
    MetadataCommand::new()
        .current_dir(root)
        .no_deps()
        .exec()
        .context("cargo cannot read the workspace")
}

#[cfg(test)]
mod tests {
    use crate::run;

    #[test]
    fn the_workspace_is_in_order() {
        let complaints = super::check(&run::root()).expect("the workspace can be read");
        assert!(complaints.is_empty(), "{}", complaints.join("\n"));
    }
}
