//! Words for random aliases: short, friendly, easy to spell over the telephone.

/// The first word.
pub(super) const ADJECTIVES: &[&str; 128] = &[
    "able", "agile", "airy", "alert", "amber", "ample", "apt", "avid", "azure", "bold", "brave", "breezy",
    "brief", "bright", "brisk", "broad", "bronze", "calm", "candid", "careful", "civil", "clean", "clear",
    "clever", "cobalt", "cool", "copper", "coral", "cosmic", "cosy", "crisp", "curious", "dapper", "daring",
    "dear", "deep", "deft", "dotted", "dry", "eager", "early", "easy", "even", "exact", "fair", "famous",
    "fancy", "fast", "fine", "firm", "fluent", "fond", "frank", "free", "fresh", "frosty", "gentle", "glad",
    "golden", "good", "grand", "great", "green", "happy", "hardy", "hearty", "honest", "humble", "ideal",
    "indigo", "ivory", "jolly", "jovial", "keen", "kind", "late", "lemon", "light", "lilac", "little",
    "lively", "loyal", "lucid", "lucky", "mellow", "merry", "mild", "mint", "modest", "neat", "new", "nice",
    "nimble", "noble", "northern", "olive", "open", "patient", "plain", "plucky", "polite", "proud",
    "purple", "quick", "quiet", "rapid", "ready", "rosy", "round", "royal", "ruby", "rustic", "sandy",
    "serene", "sharp", "shiny", "silent", "silver", "smart", "snowy", "solar", "sturdy", "sunny", "swift",
    "tidy", "vivid", "warm", "witty",
];

/// The second word.
pub(super) const NOUNS: &[&str; 128] = &[
    "acorn", "anchor", "apple", "arrow", "badger", "bamboo", "banjo", "basin", "beacon", "beaver", "birch",
    "bison", "breeze", "bridge", "brook", "cabin", "canal", "candle", "canyon", "castle", "cedar", "cello",
    "cherry", "circle", "cliff", "cloud", "clover", "coast", "comet", "compass", "condor", "cove", "crane",
    "creek", "dahlia", "daisy", "delta", "dolphin", "dove", "dune", "eagle", "ember", "falcon", "feather",
    "fern", "ferry", "field", "finch", "fjord", "forest", "fox", "garden", "glacier", "grove", "gull",
    "harbor", "harp", "hazel", "heron", "hill", "island", "ivy", "jasmine", "kayak", "kettle", "kite",
    "lagoon", "lake", "lantern", "lark", "laurel", "ledge", "lily", "linden", "lotus", "lynx", "maple",
    "marble", "marsh", "meadow", "mesa", "meteor", "mill", "moon", "moss", "nest", "oak", "oasis", "ocean",
    "orchard", "orchid", "osprey", "otter", "owl", "palm", "panda", "peak", "pebble", "piano", "pier",
    "pine", "planet", "plum", "pond", "poplar", "poppy", "prairie", "puffin", "quail", "quartz", "rain",
    "raven", "reef", "ridge", "river", "robin", "saddle", "sail", "seal", "sparrow", "spruce", "star",
    "stone", "summit", "swan", "tulip", "valley", "willow",
];
