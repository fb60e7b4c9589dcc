//! `mutate [TARGET] [--seconds N | --runs N] [--seed N] [--planted]`: fuzzes on a stable toolchain.
//!
//! Without a target, each one in turn. Ends with status 1 if something was found; the input lies in
//! `fuzz/artifacts/` then. The same seed tries the same inputs.

use std::error::Error;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use hyperdrive_fuzz::mutate::{self, Limit};
use hyperdrive_fuzz::{TARGETS, Target, plant};

fn main() -> Result<ExitCode, Box<dyn Error>> {
    let mut chosen: Vec<Target> = TARGETS.to_vec();
    let mut limit = Limit::Time(Duration::from_secs(10));
    let mut planted = false;
    let mut seed = 1;
    let mut args = std::env::args().skip(1);
    while let Some(arg) = args.next() {
        let mut number = || -> Result<u64, Box<dyn Error>> {
            Ok(args
                .next()
                .ok_or_else(|| format!("{arg} needs a number"))?
                .parse()?)
        };
        match arg.as_str() {
            "--seconds" => limit = Limit::Time(Duration::from_secs(number()?)),
            "--runs" => limit = Limit::Runs(number()?),
            "--planted" => planted = true,
            "--seed" => seed = number()?,
            name => {
                chosen.retain(|target| target.0 == name);
                if chosen.is_empty() {
                    return Err(format!("there is no target {name}").into());
                }
            }
        }
    }
    let artifacts = Path::new(env!("CARGO_MANIFEST_DIR")).join("artifacts");
    let mut found = false;
    for target in chosen {
        let run = || mutate::run(target, limit, seed, &artifacts);
        let report = if planted {
            plant::in_force(run)?
        } else {
            run()?
        };
        println!(
            "{}: {} inputs, the slowest took {} ms",
            target.0,
            report.runs,
            report.slowest.as_millis()
        );
        if let Some(path) = report.finding {
            println!("{}: panics on {}", target.0, path.display());
            found = true;
        }
    }
    Ok(if found {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    })
}
