"""The folders of tools/parity_zoo.py: a name, the files that differ from the plain folder, and what is to
be compared. A value of `files` is JSON or text; None leaves the file out. `config` is merged into
config.json, where None takes the key out and NULL makes it null. `refused` is the key that trivium's
refusal names."""
import json

NULL = object()
END_OF_BPE = {"2": 4.0}  # added to the end token's logit, so that answers end
BPE_WORDS = [" the", " and", "ing", " that", " for", " with", " news", " good", " bad", " film", " of"]
PIECES = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "the", "film", "is", "good", "bad", "news", "un",
          "##aff", "##able", "##s", "##ing", "a", "b", "c", "d", "e", "##a", "##b", "##c", "##d", "##e",
          ".", ",", "!", "?", "'", "-", "caf\u00e9", "cafe", "The", "Film", "\u4e2d", "\u6587", "##\u6587", "n", "t",
          "##t", "1", "9", "##1", "##9", "co", "##vid", "x", "y", "z", "##x", "do", "re", "m"]


def byte_symbols():
    """The 256 printable code points of byte-level BPE, in GPT-2's order."""
    plain = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [b for b in range(256) if b not in plain]
    return [chr(b) for b in plain] + [chr(256 + i) for i in range(len(others))]


def bpe_files():
    """vocab.json of 290 tokens, <mask> the last, and the merges."""
    merges, tokens = [], []
    for word in BPE_WORDS:
        symbols = list(word.replace(" ", "\u0120"))
        for end in range(1, len(symbols)):
            left, right = "".join(symbols[:end]), symbols[end]
            if left + right not in tokens:
                merges.append(f"{left} {right}")
                tokens.append(left + right)
    vocab = (["<s>", "<pad>", "</s>", "<unk>"] + byte_symbols() + tokens)[:289]
    merges = merges[:289 - 260]
    return {t: i for i, t in enumerate(vocab + ["<mask>"])}, "#version: 0.2\n" + "\n".join(merges) + "\n"


def bart_config(rows):
    return {"architectures": ["BartForConditionalGeneration"], "model_type": "bart", "vocab_size": rows,
            "max_position_embeddings": 64, "d_model": 16, "encoder_layers": 1, "decoder_layers": 1,
            "encoder_attention_heads": 2, "decoder_attention_heads": 2, "encoder_ffn_dim": 24,
            "decoder_ffn_dim": 24, "activation_function": "gelu", "pad_token_id": 1, "bos_token_id": 0,
            "eos_token_id": 2, "decoder_start_token_id": 2, "forced_eos_token_id": 2}


GENERATION = {"bos_token_id": 0, "eos_token_id": 2, "pad_token_id": 1, "decoder_start_token_id": 2,
              "num_beams": 2, "max_length": 12}


def added(content, id=None, **flags):
    token = {"content": content, "single_word": False, "lstrip": False, "rstrip": False,
             "normalized": False, "special": True} | flags
    return token if id is None else {"id": id} | token


def named(content, **flags):
    return {"__type": "AddedToken"} | added(content, **flags)


def bpe_json(**changes):
    vocab, merges = bpe_files()
    content = {
        "version": "1.0", "truncation": None, "padding": None,
        "added_tokens": [added(t, vocab[t], normalized=True, lstrip=t == "<mask>")
                         for t in ("<s>", "<pad>", "</s>", "<unk>", "<mask>")],
        "normalizer": None,
        "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True,
                          "use_regex": True},
        "post_processor": {"type": "RobertaProcessing", "sep": ["</s>", 2], "cls": ["<s>", 0],
                           "trim_offsets": True, "add_prefix_space": False},
        "decoder": {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": True, "use_regex": True},
        "model": {"type": "BPE", "dropout": None, "unk_token": None, "continuing_subword_prefix": "",
                  "end_of_word_suffix": "", "fuse_unk": False, "byte_fallback": False,
                  "ignore_merges": False, "vocab": vocab, "merges": merges.split("\n")[1:-1]}}
    return merged(content, changes)


def merged(object_, changes):
    """`changes` put into `object_`, objects key by key."""
    result = dict(object_)
    for key, value in changes.items():
        both = isinstance(value, dict) and isinstance(result.get(key), dict)
        result[key] = merged(result[key], value) if both else value
    return result


def wordpiece_json(**changes):
    content = {
        "version": "1.0", "truncation": None, "padding": None,
        "added_tokens": [added(t, i) for i, t in enumerate(PIECES[:5])],
        "normalizer": {"type": "BertNormalizer", "clean_text": True, "handle_chinese_chars": True,
                       "strip_accents": None, "lowercase": True},
        "pre_tokenizer": {"type": "BertPreTokenizer"},
        "post_processor": {
            "type": "TemplateProcessing",
            "single": [{"SpecialToken": {"id": "[CLS]", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}},
                       {"SpecialToken": {"id": "[SEP]", "type_id": 0}}],
            "pair": [{"SpecialToken": {"id": "[CLS]", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}},
                     {"SpecialToken": {"id": "[SEP]", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 1}},
                     {"SpecialToken": {"id": "[SEP]", "type_id": 1}}],
            "special_tokens": {"[CLS]": {"id": "[CLS]", "ids": [2], "tokens": ["[CLS]"]},
                               "[SEP]": {"id": "[SEP]", "ids": [3], "tokens": ["[SEP]"]}}},
        "decoder": {"type": "WordPiece", "prefix": "##", "cleanup": True},
        "model": {"type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##",
                  "max_input_chars_per_word": 100, "vocab": {t: i for i, t in enumerate(PIECES)}}}
    return merged(content, changes)


def bpe(name, files=(), config=(), generation=(), **more):
    vocab, merges = bpe_files()
    rows = more.pop("rows", 290)
    own = {"config.json": with_changes(bart_config(rows), dict(config)),
           "vocab.json": vocab, "merges.txt": merges}
    if generation is not None:
        own["generation_config.json"] = with_changes(GENERATION, dict(generation))
    return {"name": name, "rows": rows, "files": kept(own | dict(files)), "bias": END_OF_BPE} | more


def wordpiece(name, files=(), config=(), generation=(), **more):
    rows = more.pop("rows", len(PIECES))
    special = {"pad_token_id": 0, "bos_token_id": 2, "eos_token_id": 3, "decoder_start_token_id": 3,
               "forced_eos_token_id": 3}
    own = {"config.json": with_changes(bart_config(rows) | special, dict(config)),
           "vocab.txt": "\n".join(PIECES) + "\n",
           "tokenizer_config.json": {"tokenizer_class": "BertTokenizer"}}
    if generation is not None:
        own["generation_config.json"] = with_changes(GENERATION | special, dict(generation))
    return {"name": name, "rows": rows, "files": kept(own | dict(files)), "bias": {"3": 1.0}} | more


def bert(name, files=()):
    """A BERT encoder's own folder, for import --architecture bert: its tokenizer is compared."""
    config = {"architectures": ["BertModel"], "model_type": "bert", "vocab_size": len(PIECES),
              "max_position_embeddings": 64, "hidden_size": 16, "num_hidden_layers": 2,
              "num_attention_heads": 2, "intermediate_size": 24, "hidden_act": "gelu",
              "hidden_dropout_prob": 0.1, "attention_probs_dropout_prob": 0.1, "initializer_range": 0.02,
              "layer_norm_eps": 1e-12, "type_vocab_size": 2, "pad_token_id": 0}
    own = {"config.json": config, "vocab.txt": "\n".join(PIECES) + "\n"}
    return {"name": name, "rows": len(PIECES), "files": kept(own | dict(files)), "bert": True}


def with_changes(object_, changes):
    result = object_ | changes
    return {key: None if value is NULL else value for key, value in result.items() if value is not None}


def kept(files):
    return {name: text if isinstance(text, str) else json.dumps(text, ensure_ascii=False)
            for name, text in files.items() if text is not None}


def tokens(**config):
    return {"tokenizer_config.json": config}


def only_json(content, **config):
    return {"vocab.json": None, "merges.txt": None, "vocab.txt": None, "tokenizer.json": content,
            "tokenizer_config.json": config or None}


def without_specials():
    vocab, merges = bpe_files()
    ordered = [t for t in vocab if not t.startswith("<") or t == "<"]
    return {"vocab.json": {t: i for i, t in enumerate(ordered)}, "merges.txt": merges}


def bpe_cases():
    merges = bpe_files()[1]
    words = {"covid19": 290, "<ent>": 291}
    decoder = {"290": added("Covid19", special=False, normalized=True),
               "291": added(" x ", special=False, lstrip=True, rstrip=True)}
    # Tokens that the plain folder's answers are made of.
    vocab = bpe_files()[0]
    that, control = vocab["\u0120that"], vocab[chr(256 + 0x13)]
    ids_of_gpt2 = {"bos_token_id": 285, "eos_token_id": 286, "pad_token_id": 288,
                   "decoder_start_token_id": 286, "forced_eos_token_id": 286}
    return [
        bpe("plain"),
        bpe("a row fewer than tokens", rows=289),
        bpe("more rows than tokens", rows=304),
        bpe("rows beyond the tokens are likely", rows=304, bias=END_OF_BPE | {"295": 5.0, "300": 5.0}),
        bpe("no generation settings at all", generation=None),
        bpe("old settings in config.json", {}, {"num_beams": 3, "max_length": 14, "min_length": 6,
            "no_repeat_ngram_size": 2}, None),
        bpe("stale settings in config.json", {}, {"num_beams": 4, "no_repeat_ngram_size": 1,
            "min_length": 10, "max_length": 30, "do_sample": True}),
        bpe("old bos switch", {}, {"force_bos_token_to_be_generated": True}, None),
        bpe("old eos null", {}, {"forced_eos_token_id": NULL, "max_length": 9}, None),
        bpe("min length", generation={"min_length": 9}),
        bpe("max new tokens", generation={"max_new_tokens": 5, "max_length": 30}),
        bpe("min new tokens", generation={"min_new_tokens": 8, "min_length": 2}),
        bpe("explicit 20", generation={"max_length": 20, "min_length": 19}),
        bpe("repetition penalty, greedy", generation={"repetition_penalty": 1.5, "num_beams": 1, "max_length": 24}),
        bpe("repetition penalty, beams", generation={"repetition_penalty": 1.4, "num_beams": 3, "max_length": 24}),
        bpe("bad words", generation={"bad_words_ids": [[2], [that, that], [control, control], [2, 5]]}),
        bpe("suppressed tokens", generation={"suppress_tokens": [that, 100], "begin_suppress_tokens": [2, control]}),
        bpe("never early", generation={"early_stopping": "never", "num_beams": 3, "length_penalty": 2.0}),
        bpe("early", generation={"early_stopping": True, "num_beams": 3, "length_penalty": 0.5}),
        bpe("negative length penalty", generation={"length_penalty": -1.0, "num_beams": 4}),
        bpe("forced bos", generation={"forced_bos_token_id": 0, "begin_suppress_tokens": [control]}),
        bpe("forced eos", generation={"forced_eos_token_id": 2, "max_length": 6}),
        bpe("no repeated pairs", generation={"no_repeat_ngram_size": 2, "num_beams": 1, "max_length": 24}),
        bpe("a list of one end", generation={"eos_token_id": [2]}),
        bpe("settings of sampling without it", generation={"temperature": 0.5, "top_k": 3, "top_p": 0.5}),
        bpe("layer drop", {}, {"encoder_layerdrop": 0.2, "decoder_layerdrop": 0.1, "use_cache": False}),
        bpe("scaled embedding", {}, {"scale_embedding": True}),
        bpe("settings of tasks", {}, {"task_specific_params": {"summarization": {"min_length": 30}}}),
        bpe("two ends", generation={"eos_token_id": [2, 5]}, refused="eos_token_id"),
        bpe("no end", generation={"eos_token_id": None}, refused="eos_token_id"),
        bpe("sampling", generation={"do_sample": True}, refused="do_sample"),
        bpe("encoder's n-grams", generation={"encoder_no_repeat_ngram_size": 3},
            refused="encoder_no_repeat_ngram_size"),
        bpe("groups of beams", generation={"num_beam_groups": 2, "num_beams": 2, "diversity_penalty": 0.5},
            refused="num_beam_groups"),
        bpe("decay", generation={"exponential_decay_length_penalty": [3, 1.5]},
            refused="exponential_decay_length_penalty"),
        bpe("prefix space", tokens(add_prefix_space=True, tokenizer_class="BartTokenizer")),
        bpe("added words, old layout", {"added_tokens.json": words}, rows=292),
        bpe("added words, some special", {"added_tokens.json": words,
            "special_tokens_map.json": {"additional_special_tokens": ["<ent>"]}}, rows=292),
        bpe("added words", tokens(added_tokens_decoder=decoder), rows=292),
        bpe("additional special tokens", tokens(additional_special_tokens=["<ent>", named("<b>", lstrip=True)]),
            rows=292),
        bpe("clean up", tokens(clean_up_tokenization_spaces=True)),
        bpe("no clean up", tokens(clean_up_tokenization_spaces=False)),
        bpe("mask without its space", tokens(mask_token=named("<mask>"))),
        bpe("keys without effect", tokens(errors="ignore", trim_offsets=False, model_max_length=10,
            padding_side="left", do_lower_case=True, name_or_path="x", use_fast=False)),
        bpe("roberta's class", tokens(tokenizer_class="RobertaTokenizerFast")),
        bpe("no special tokens in the vocabulary", without_specials(), ids_of_gpt2, ids_of_gpt2),
        bpe("merges without a last line end", {"merges.txt": merges.rstrip("\n")}),
        bpe("merges without a first comment", {"merges.txt": merges.split("\n", 1)[1]}),
        bpe("tokenizer.json", only_json(bpe_json())),
        bpe("tokenizer.json and pairs of merges", only_json(bpe_json(model={
            "merges": [m.split(" ") for m in merges.split("\n")[1:-1]]}))),
        bpe("prefix space in tokenizer.json alone", only_json(bpe_json(pre_tokenizer={"add_prefix_space": True}))),
        bpe("prefix space beside tokenizer.json", only_json(bpe_json(), add_prefix_space=True)),
        bpe("tokenizer.json and more words", only_json(bpe_json(), tokenizer_class="BartTokenizer",
            added_tokens_decoder={"290": added("covid19", special=False, normalized=True)}), rows=292),
        bpe("tokenizer.json goes before vocab.json", {"tokenizer.json": bpe_json(added_tokens=[
            added(t, i, normalized=True) for t, i in (("<s>", 0), ("<pad>", 1), ("</s>", 2), ("<unk>", 3),
                                                      ("<mask>", 289), ("good", 290))])}, rows=292),
        bpe("split special tokens", tokens(split_special_tokens=True), refused="split_special_tokens"),
        bpe("cut on the left", tokens(truncation_side="left"), refused="truncation_side"),
        bpe("single words", tokens(added_tokens_decoder={"290": added("good", single_word=True)}), rows=292,
            refused="single_word"),
        bpe("dropout of merges", only_json(bpe_json(model={"dropout": 0.5})), refused="dropout"),
        bpe("no frame", only_json(bpe_json(post_processor={"type": "ByteLevel", "add_prefix_space": True,
            "trim_offsets": True, "use_regex": True})), refused="post_processor"),
        bpe("a normalizer", only_json(bpe_json(normalizer={"type": "NFC"})), refused="normalizer"),
        bpe("another class", tokens(tokenizer_class="BlenderbotTokenizer"), refused="tokenizer_class"),
    ]


def wordpiece_cases():
    def bert_config(**config):
        return tokens(tokenizer_class="BertTokenizer", **config)
    pieces = "\n".join(PIECES) + "\n"
    renamed = pieces.replace("[CLS]", "<cls>").replace("[SEP]", "<sep>").replace("[PAD]", "<pad>")
    names = {"cls_token": "<cls>", "sep_token": "<sep>", "pad_token": "<pad>"}
    without_mask = pieces.replace("[MASK]\n", "") + "w\n"
    more = len(PIECES) + 2
    plain = "PreTrainedTokenizerFast"
    plain_names = {"cls_token": "[CLS]", "sep_token": "[SEP]", "pad_token": "[PAD]", "unk_token": "[UNK]",
                   "mask_token": "[MASK]"}
    return [
        wordpiece("pieces"),
        wordpiece("cased", bert_config(do_lower_case=False)),
        wordpiece("lower case with accents", bert_config(strip_accents=False)),
        wordpiece("cased without accents", bert_config(do_lower_case=False, strip_accents=True)),
        wordpiece("ideographs in words", bert_config(tokenize_chinese_chars=False)),
        wordpiece("blank last line", {"vocab.txt": pieces + "\n"}, rows=more),
        wordpiece("doubled token", {"vocab.txt": pieces + "good\n"}, rows=more),
        wordpiece("line ends of Windows", {"vocab.txt": pieces.replace("\n", "\r\n")}),
        wordpiece("added words in any case", {"added_tokens.json": {"Covid19": len(PIECES)}}, rows=more),
        wordpiece("added words as they are", bert_config(added_tokens_decoder={
            str(len(PIECES)): added("Covid19", special=False)}), rows=more),
        wordpiece("added words with spaces", bert_config(added_tokens_decoder={
            str(len(PIECES)): added("good film", special=False, normalized=True, rstrip=True)}), rows=more),
        wordpiece("clean up pieces", bert_config(clean_up_tokenization_spaces=True)),
        wordpiece("basic tokenizer off", bert_config(do_basic_tokenize=False, never_split=["good"])),
        wordpiece("names of special tokens", {"vocab.txt": renamed} | bert_config(**names)),
        wordpiece("names in special_tokens_map.json", {"vocab.txt": renamed, "special_tokens_map.json": names}),
        wordpiece("no mask", {"vocab.txt": without_mask}),
        wordpiece("pieces in tokenizer.json", only_json(wordpiece_json(), tokenizer_class="BertTokenizer")),
        wordpiece("case of the config beside tokenizer.json",
                  only_json(wordpiece_json(), tokenizer_class="BertTokenizer", do_lower_case=False)),
        wordpiece("case of tokenizer.json", only_json(wordpiece_json(normalizer={"lowercase": False}),
                  tokenizer_class=plain, **plain_names)),
        wordpiece("max length and padding in tokenizer.json", only_json(wordpiece_json(
            truncation={"direction": "Right", "max_length": 4, "strategy": "LongestFirst", "stride": 0},
            padding={"strategy": {"Fixed": 8}, "direction": "Right", "pad_to_multiple_of": None, "pad_id": 0,
                     "pad_type_id": 0, "pad_token": "[PAD]"}), tokenizer_class="BertTokenizer")),
        wordpiece("no clean text", only_json(wordpiece_json(normalizer={"clean_text": False}),
                  tokenizer_class="BertTokenizer"), refused="clean_text"),
        wordpiece("another prefix", only_json(wordpiece_json(decoder={"prefix": "@@"}),
                  tokenizer_class="BertTokenizer"), refused="prefix"),
        bert("a BERT"),
        bert("a cased BERT", tokens(do_lower_case=False)),
        bert("a BERT of tokenizer.json", {"vocab.txt": None, "tokenizer.json": wordpiece_json()}),
        bert("a BERT with a blank last line", {"vocab.txt": pieces[:-1].rsplit("\n", 1)[0] + "\n\n"}),
    ]


def all_cases():
    return bpe_cases() + wordpiece_cases()


# Texts that no case lacks rows for, and those that are for the tokenizer alone.
PROMPTS = ["good news", "the film is bad", "A <b>caf\u00e9</b>, and that!", "do n't ."]
TEXTS = PROMPTS + [
    "", " ", "  two  spaces ", "Covid19 COVID19 covid19", "x covid19y Covid19.", "the <ent> and <b> x  y",
    "a <mask> b<mask>", "[MASK] a [SEP]b[CLS]", "\u4e2d\u6587 x\u4e2d\u6587", "CAF\u00c9 caf\u00e9 cafe", "good film  news goods",
    "unaffable The Film <s>x</s>", "it 's , I 'm . we 've ?", "tab\there", "1999 19", "\u00e9\u0301 \ufb01 \U0001f642"]
OPTIONS = ["good", "bad news", "the film"]
