//! `linkspan validate`: everything that is wrong with a configuration, without running it.

use serde_json::json;

use crate::args::{Output, ValidateArgs};
use crate::exit::{Exit, Failure};
use crate::run::{plan, print_diagnostics};
use crate::terminal;

pub(crate) fn run(args: &ValidateArgs) -> Result<Exit, Failure> {
    let plugins = plan::discover(&args.paths, &args.config, None)?;
    let mut request = plan::request(&args.paths, &args.config)?;
    request.run = false;
    let (plan, diagnostics) = plan::check(&request, &plugins)?;
    match args.output {
        Output::Json => {
            let object = json!({ "valid": plan.is_some(), "diagnostics": diagnostics.to_json() });
            terminal::line(&object.to_string());
        }
        Output::Table => {
            print_diagnostics(&diagnostics);
            if let Some(plan) = &plan {
                terminal::line(&format!(
                    "valid: {} connectors, {} declared topics",
                    plan.connectors.len(),
                    plan.topics.len()
                ));
            }
        }
    }
    Ok(if plan.is_some() {
        Exit::Ok
    } else {
        Exit::Invalid
    })
}
