use super::*;
use crate::facts::Tokens;

fn day(day: &str) -> Option<Millis> {
    time(&format!("{day}T12:00:00Z"))
}

fn time(time: &str) -> Option<Millis> {
    Some(DateTime::parse_from_rfc3339(time).unwrap().timestamp_millis())
}

fn request(at: &str) -> Request {
    Request {
        at: day(at),
        ..Request::default()
    }
}

/// Input and output price of a model in the built-in table.
fn listed(model: &str, request: Request) -> Option<(f64, f64)> {
    let prices = Prices::builtin();
    let applied = prices.find(model)?.at(request)?;
    Some((applied.price.input, applied.price.output))
}

fn own(toml: &str) -> Prices {
    Prices::builtin().with_overrides(toml).unwrap()
}

fn entry(model: &str, more: &str) -> String {
    format!("[[price]]\nmodel = \"{model}\"\noutput = 90\nsource = \"a contract\"\n{more}\n")
}

#[test]
fn every_price_of_the_program_names_its_source_and_is_positive() {
    let prices = Prices::builtin();
    assert!(prices.list().count() > 1_000);
    for price in prices.list() {
        assert!(!price.source.is_empty(), "{price:?}");
        assert!(price.input > 0.0 && price.output > 0.0, "{price:?}");
    }
    let source = Prices::builtin_source();
    assert!(
        !source.version.is_empty() && source.licence == "MIT",
        "{source:?}"
    );
}

#[test]
fn a_model_is_found_under_the_names_that_vendors_hosts_and_agents_use() {
    for (model, input) in [
        ("claude-opus-4-5-20251101", Some(5.0)),
        ("claude-opus-4-1-20250805", Some(15.0)),
        ("claude-opus-4-20250514[1m]", Some(15.0)),
        ("claude-sonnet-4.6", Some(3.0)),
        ("claude-sonnet-4-6[1m]", Some(3.0)),
        ("claude-sonnet-5", Some(2.0)),
        ("anthropic/claude-haiku-4.5", Some(1.0)),
        ("claude-haiku-4-5@20251001", Some(1.0)),
        ("anthropic.claude-haiku-4-5-20251001-v1:0", Some(1.1)),
        ("global.anthropic.claude-sonnet-4-5-20250929-v1:0", Some(3.0)),
        ("us.anthropic.claude-sonnet-4-5-20250929-v1:0", Some(3.3)),
        ("openrouter/openai/gpt-5.5", Some(5.0)),
        ("GPT-5.5", Some(5.0)),
        ("gpt-5.5-2026-04-23", Some(5.0)),
        ("MiniMax-M3", Some(0.3)),
        ("gemini-3.1-pro-preview-customtools", Some(2.0)),
        ("claude-opus-4-99", None),
        ("gpt-5.99", None),
        ("claude-haiku-4-50", None),
        ("a-model-of-ours", None),
        ("qwen/qwen3-coder:free", None),
        ("", None),
    ] {
        let found = listed(model, request("2026-11-01")).map(|(input, _)| input);
        assert_eq!(found, input, "{model}");
    }
}

#[test]
fn a_price_holds_from_its_day_on() {
    assert_eq!(listed("gpt-5.6-sol", request("2026-08-20")), Some((5.0, 30.0)));
    assert_eq!(listed("gpt-5.6-sol", request("2026-08-21")), Some((4.0, 20.0)));
    let file =
        entry("m", "from = \"2026-01-01\"\ninput = 1") + &entry("m", "from = \"2026-03-01\"\ninput = 2");
    let prices = own(&file);
    let on = |day: &str| {
        prices
            .find("m-latest")
            .unwrap()
            .at(request(day))
            .unwrap()
            .price
            .input
    };
    assert_eq!(
        (on("2026-02-28"), on("2026-03-01"), on("2025-01-01")),
        (1.0, 2.0, 1.0)
    );
    assert!(!Prices::builtin().knows("m"));
}

#[test]
fn long_prompts_have_their_own_price() {
    let of = |prompt| {
        let request = Request {
            prompt,
            ..request("2026-08-02")
        };
        listed("gpt-5.4", request).unwrap()
    };
    assert_eq!((of(272_000), of(272_001)), ((2.5, 15.0), (5.0, 22.5)));
}

#[test]
fn a_tier_has_its_own_price_or_the_standards() {
    let of = |model: &str, tier| {
        let request = Request {
            tier,
            ..request("2026-11-01")
        };
        listed(model, request).unwrap()
    };
    assert_eq!(of("claude-opus-4-8", Tier::Fast), (10.0, 50.0));
    assert_eq!(of("claude-opus-4-6", Tier::Fast), (30.0, 150.0));
    assert_eq!(of("claude-opus-4-8", Tier::Batch), (2.5, 12.5));
    assert_eq!(of("gpt-5.4", Tier::Priority), (5.0, 30.0));
    assert_eq!(of("gpt-5.4", Tier::Flex), (1.25, 7.5));
    assert_eq!(of("claude-opus-4-8", Tier::Priority), (5.0, 25.0));
}

#[test]
fn hours_of_the_day_have_their_own_price_where_the_vendor_has() {
    let at = |text: &str| {
        let request = Request {
            at: time(text),
            ..Request::default()
        };
        listed("deepseek-v4-pro", request).unwrap().0
    };
    let peak = at("2026-11-01T02:00:00Z");
    assert!(peak > at("2026-11-01T05:00:00Z"));
    assert!(
        peak > at("2026-08-02T02:00:00Z"),
        "before the vendor had such hours"
    );
}

#[test]
fn a_price_of_ones_own_stands_before_the_list_from_its_day_on() {
    let prices = own(&entry("claude-opus-4-8", "from = \"2026-09-01\"\ninput = 1"));
    let on = |day: &str, model: &str| {
        let found = prices.find(model).unwrap();
        let applied = found.at(request(day)).unwrap();
        (applied.price.input, applied.given)
    };
    assert_eq!(on("2026-08-31", "claude-opus-4-8"), (5.0, false));
    assert_eq!(on("2026-09-01", "claude-opus-4-8"), (1.0, true));
    assert_eq!(on("2026-09-01", "us.anthropic.claude-opus-4-8-v1:0").0, 1.0);
    assert_eq!(on("2026-09-01", "claude-opus-4-7"), (5.0, false));
}

#[test]
fn a_price_file_with_a_mistake_is_refused() {
    let prices = Prices::builtin();
    for file in [
        "[[price]]\nmodel = 1".to_owned(),
        entry("m", "input = -1.0"),
        entry("m", "input = 1\ntier = \"slow\""),
        entry("m", ""),
    ] {
        let refused = prices.with_overrides(&file);
        assert!(matches!(refused, Err(InvalidPrices::Toml(_))), "{file}");
    }
    let many = entry("m", "input = 1").repeat(MAX_FILE_PRICES + 1);
    assert!(matches!(
        prices.with_overrides(&many),
        Err(InvalidPrices::TooMany(_))
    ));
}

#[test]
fn reads_and_writes_of_the_cache_and_web_searches_have_their_own_prices() {
    let tokens = Tokens {
        input: 3,
        output: 393,
        cache_read: 24_983,
        cache_write_5m: 1_000,
        cache_write_1h: 19_233,
    };
    let prices = Prices::builtin();
    let model = prices.find("claude-opus-4-6").unwrap();
    let applied = model.at(request("2026-11-01")).unwrap();
    // 3*5 + 393*25 + 24983*0.5 + 1000*6.25 + 19233*10 = 220,911.5
    assert_eq!(applied.cost(&tokens, 0), MicroUsd(220_912));
    assert_eq!(applied.cost(&tokens, 3), MicroUsd(250_912));
    // A user's price without a price for searches keeps the listed price for searches.
    let prices = own(&entry("claude-opus-4-6", "input = 1"));
    let model = prices.find("claude-opus-4-6").unwrap();
    let applied = model.at(request("2026-11-01")).unwrap();
    assert_eq!(applied.cost(&Tokens::default(), 2), MicroUsd(20_000));
}
