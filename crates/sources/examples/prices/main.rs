//! Generates the prices that come with the program: `cargo run -p toolhub-sources --example prices [-- --check]`.
//!
//! From `prices/genai-prices.json` (facts of the data set, taken by `prices/update`) and `prices/supplement.toml` to
//! `src/prices/builtin.json`. With `--check` nothing is written: it fails when the file is not what would be.

mod names;
mod periods;

use std::{collections::BTreeSet, fs, path::Path, process::ExitCode};

use serde::Deserialize;
use sources::{Price, Prices, Tier};

use self::{names::Names, periods::Period};

/// The data set.
#[derive(Deserialize)]
struct Input {
    package: String,
    version: String,
    licence: String,
    home: String,
    models: Vec<Model>,
}

/// One model of one provider.
#[derive(Deserialize)]
struct Model {
    provider: String,
    page: String,
    id: String,
    #[serde(rename = "match")]
    names: names::Clause,
    prices: Vec<Period>,
    #[serde(default)]
    variants: Vec<Period>,
}

fn main() -> ExitCode {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    match run(root, std::env::args().any(|argument| argument == "--check")) {
        Ok(said) => {
            use std::io::Write as _;
            writeln!(std::io::stdout(), "{said}").map_or(ExitCode::FAILURE, |()| ExitCode::SUCCESS)
        }
        Err(error) => {
            use std::io::Write as _;
            let _ = writeln!(std::io::stderr(), "error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(root: &Path, check: bool) -> Result<String, String> {
    let read = |path: &str| {
        fs::read_to_string(root.join(path)).map_err(|error| format!("{path} cannot be read: {error}"))
    };
    let input: Input = serde_json::from_str(&read("prices/genai-prices.json")?)
        .map_err(|error| format!("prices/genai-prices.json: {error}"))?;
    let supplement = sources::read_price_file(&read("prices/supplement.toml")?)
        .map_err(|error| format!("prices/supplement.toml: {error}"))?;
    let mut skipped = BTreeSet::new();
    let prices = generate(&input, supplement, &mut skipped)?;
    let text = print(&input, &prices)?;

    let models: BTreeSet<&str> = prices.iter().map(|price| price.model.as_str()).collect();
    let mut said = format!(
        "{} {}: {} prices of {} models",
        input.package,
        input.version,
        prices.len(),
        models.len()
    );
    for what in skipped {
        said += &format!("\nleft out: {what}");
    }
    let path = root.join("src/prices/builtin.json");
    if check {
        if fs::read_to_string(&path).ok().as_deref() != Some(&text) {
            return Err(format!(
                "{} is not what is generated; run `cargo run -p toolhub-sources --example prices`",
                path.display()
            ));
        }
    } else {
        fs::create_dir_all(root.join("src/prices"))
            .and_then(|()| fs::write(&path, text))
            .map_err(|error| format!("{} cannot be written: {error}", path.display()))?;
    }
    Ok(said)
}

/// The prices in the order of the data set: a provider's names stand before those of the providers after it.
fn generate(
    input: &Input,
    supplement: Vec<Price>,
    skipped: &mut BTreeSet<String>,
) -> Result<Vec<Price>, String> {
    let mut prices: Vec<Price> = Vec::new();
    for models in input.models.chunk_by(|a, b| a.provider == b.provider) {
        let before = Prices::of(prices.clone());
        for model in models {
            let names = Names::of(model, skipped).not_in(&before);
            let periods = periods::resolve(model, skipped);
            let Some((name, aliases)) = names.into_parts(&prices) else {
                add_tier(&mut prices, model, periods);
                continue;
            };
            add_tier(&mut prices, model, periods.clone());
            for (nth, price) in periods.into_iter().enumerate() {
                let mut price = Price {
                    model: name.clone(),
                    ..price
                };
                if nth == 0 {
                    price.aliases.clone_from(&aliases);
                    price.source.clone_from(&model.page);
                }
                prices.push(price);
            }
        }
    }
    for price in supplement {
        if price.source.is_empty() {
            return Err(format!(
                "supplement.toml: the price of {} has no source",
                price.model
            ));
        }
        let at = prices.iter().rposition(|known| known.model == price.model);
        prices.insert(at.map_or(prices.len(), |at| at + 1), price);
    }
    Ok(prices)
}

/// Hosts list what is a tier of the vendor's model as a model: `claude-opus-4.6-fast`, `….6:batch`. Where the data set
/// has no price for this tier of the vendor's, that is the one.
fn add_tier(prices: &mut Vec<Price>, model: &Model, periods: Vec<Price>) {
    let name = model.id.rsplit('/').next().unwrap_or(&model.id);
    let (name, tier) = if let Some(name) = name.strip_suffix("-fast") {
        (name, Tier::Fast)
    } else if let Some(name) = name.strip_suffix(":batch") {
        (name, Tier::Batch)
    } else {
        return;
    };
    let name = name.replace('.', "-");
    let of_vendor = |price: &&Price| price.model == name && name.starts_with("claude-");
    if !prices.iter().any(|price| of_vendor(&price))
        || prices.iter().filter(of_vendor).any(|price| price.tier == tier)
    {
        return;
    }
    let Some(at) = prices.iter().rposition(|price| of_vendor(&price)) else {
        return;
    };
    let standard = prices[at].clone();
    let added: Vec<Price> = periods
        .into_iter()
        .map(|price| Price {
            model: name.clone(),
            tier,
            source: model.page.clone(),
            web_search: price.web_search.or(standard.web_search),
            // The factors of the cache stand on those of the tier; hosts list the 5 minutes alone.
            cache_write_1h: if price.cache_write_1h.total_cmp(&price.cache_write_5m).is_eq() {
                price.cache_write_5m * standard.cache_write_1h / standard.cache_write_5m
            } else {
                price.cache_write_1h
            },
            ..price
        })
        .collect();
    prices.splice(at + 1..at + 1, added);
}

/// One price on a line, so that a change is seen as one. What is the same as something else is left out.
fn print(input: &Input, prices: &[Price]) -> Result<String, String> {
    let mut lines = Vec::with_capacity(prices.len());
    for price in prices {
        let json = serde_json::to_value(price).map_err(|error| error.to_string())?;
        let mut fields = Vec::new();
        // In the order of the struct, which a map does not keep.
        for key in [
            "model",
            "aliases",
            "from",
            "hours",
            "tier",
            "over",
            "input",
            "output",
            "cache_read",
            "cache_write_5m",
            "cache_write_1h",
            "web_search",
            "source",
        ] {
            let same = match key {
                "cache_read" => price.cache_read.total_cmp(&price.input).is_eq(),
                "cache_write_5m" => price.cache_write_5m.total_cmp(&price.input).is_eq(),
                "cache_write_1h" => price.cache_write_1h.total_cmp(&price.cache_write_5m).is_eq(),
                "source" => price.source.is_empty(),
                _ => false,
            };
            if let Some(value) = json.get(key).filter(|value| !same && !value.is_null()) {
                fields.push(format!("\"{key}\":{value}"));
            }
        }
        lines.push(format!("{{{}}}", fields.join(",")));
    }
    let head = serde_json::json!({
        "package": input.package,
        "version": input.version,
        "licence": input.licence,
        "home": input.home,
    });
    let head = head.to_string();
    let head = head.trim_end_matches('}');
    Ok(format!("{head},\"prices\":[\n{}\n]}}\n", lines.join(",\n")))
}
