#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Makes adapters/<case>/ beside this script: an adapter that the peft library wrote for one of the models in models/
and what that model computes under it.

    make_adapter_goldens.py [--models FOLDER] [--out FOLDER] [CASE ...]

expected.json names the model, the modules that peft adapts and the ids; expected.safetensors holds the logits of all
sequences one after the other. Every number of an adapter is drawn
from a seed: nothing is at its harmless beginning.
"""
import argparse
import json
import shutil
import tempfile
import warnings
from dataclasses import dataclass, field
from pathlib import Path

import peft
import safetensors.torch
import torch
import transformers

HERE = Path(__file__).parent
LENGTHS = (1, 5, 12)
# Merging in F32 may move logits by so much, as a share of the largest.
MERGE_TOLERANCE = 2e-5


@dataclass(frozen=True)
class Case:
    """One adapter: the model it is for and the settings of peft.LoraConfig."""

    name: str
    model: str
    settings: dict = field(default_factory=dict)
    dtype: torch.dtype = torch.float32  # of the stored adapter
    can_merge: bool = True  # False where peft cannot, or where a tied table would change with the other


def all_linear(model, **settings):
    """The default of this project for one family."""
    return Case(f"{model}_all_linear", model, {"r": 3, "lora_alpha": 6, "target_modules": "all-linear", **settings})


LIST = {"r": 4, "lora_alpha": 8, "target_modules": ["q_proj", "v_proj"]}
CASES = [
    # Which modules.
    Case("llama_list", "llama", LIST),
    Case("llama_expression", "llama", {**LIST, "target_modules": r"model\.layers\.[02]\.(self_attn\.[qo]|mlp\.up)_proj"}),
    Case("llama_excluded", "llama", {**LIST, "target_modules": "all-linear", "exclude_modules": ["down_proj", "1.self_attn.q_proj"]}),
    Case("llama_excluded_expression", "llama", {**LIST, "exclude_modules": r".*\.1\..*"}),
    Case("llama_layers", "llama", {**LIST, "layers_to_transform": [0, 2]}),
    Case("llama_layers_pattern", "llama", {**LIST, "layers_to_transform": 1, "layers_pattern": "layers"}),
    Case(
        "llama_patterns",
        "llama",
        {
            **LIST,
            "target_modules": "all-linear",
            "rank_pattern": {"q_proj": 2, r"layers\.1\.mlp\..*": 5, "^model.layers.2.mlp.up_proj": 1},
            "alpha_pattern": {"v_proj": 3, r"mlp\.(up|down)_proj": 20, "1.self_attn.o_proj": 1},
        },
    ),
    # What is added.
    Case("llama_rslora", "llama", {**LIST, "use_rslora": True}),
    Case("llama_dora", "llama", {**LIST, "use_dora": True, "target_modules": "all-linear"}),
    Case("llama_dora_rslora_patterns", "llama", {**LIST, "use_dora": True, "use_rslora": True, "rank_pattern": {"q_proj": 6}, "alpha_pattern": {"v_proj": 1}}),
    Case("llama_bf16", "llama", LIST, torch.bfloat16),
    Case("llama_f16", "llama", LIST, torch.float16),
    Case("llama_lora_bias", "llama", {**LIST, "lora_bias": True}, can_merge=False),
    Case("llama_gaussian", "llama", {**LIST, "init_lora_weights": "gaussian"}),
    Case("llama_orthogonal", "llama", {**LIST, "init_lora_weights": "orthogonal"}),
    # Biases and whole modules.
    Case("qwen2_bias_all", "qwen2_window", {**LIST, "bias": "all"}),
    Case("opt_bias_only", "opt", {**LIST, "bias": "lora_only"}),
    Case("opt_bias_all", "opt", {**LIST, "bias": "all"}),
    Case("gpt2_bias_all", "gpt2", {"r": 4, "target_modules": ["c_attn"], "fan_in_fan_out": True, "bias": "all"}),
    Case("llama_biases_dora_bias_all", "llama_biases", {**LIST, "use_dora": True, "bias": "all"}),
    Case("llama_lora_bias_merged", "llama_biases", {**LIST, "lora_bias": True}),
    Case("llama_saved_tables", "llama", {**LIST, "modules_to_save": ["lm_head", "embed_tokens"]}),
    Case("llama_saved_projection", "llama", {**LIST, "modules_to_save": ["0.mlp.up_proj", "v_proj"]}),
    Case("llama_saved_norms", "llama", {**LIST, "modules_to_save": ["norm", "post_attention_layernorm"]}),
    Case("qwen3_saved_head_norms", "qwen3", {**LIST, "modules_to_save": ["q_norm", "k_norm"]}),
    Case("llama_tied_saved_head", "llama_tied", {**LIST, "modules_to_save": ["lm_head"]}, can_merge=False),
    Case("llama_tied_saved_embedding", "llama_tied", {**LIST, "modules_to_save": ["embed_tokens"]}, can_merge=False),
    Case("gpt2_saved_conv", "gpt2", {"r": 4, "target_modules": ["c_attn"], "fan_in_fan_out": True, "modules_to_save": ["c_fc"]}),
    Case("t5_saved_head", "t5_v1_1", {"r": 4, "target_modules": ["q", "v"], "modules_to_save": ["lm_head"]}),
    # The tables themselves.
    Case("llama_adapted_tables", "llama", {**LIST, "target_modules": ["q_proj", "embed_tokens", "lm_head"]}),
    Case("llama_adapted_tables_dora", "llama", {**LIST, "target_modules": ["embed_tokens", "lm_head"], "use_dora": True}),
    Case("llama_tied_adapted_head", "llama_tied", {**LIST, "target_modules": ["v_proj", "lm_head"]}, can_merge=False),
    Case("gemma2_adapted_embedding", "gemma2", {**LIST, "target_modules": ["v_proj", "embed_tokens"]}, can_merge=False),
    # Conv1D weights.
    Case("gpt2_conv", "gpt2", {"r": 4, "lora_alpha": 8, "target_modules": ["c_attn", "c_proj"], "fan_in_fan_out": True}),
    Case("gpt2_conv_dora", "gpt2", {"r": 4, "target_modules": ["c_attn", "c_fc", "c_proj"], "fan_in_fan_out": True, "use_dora": True}),
    # Fused and other projections of each family.
    all_linear("mistral"),
    all_linear("qwen3"),
    all_linear("gemma"),
    all_linear("gemma3_text"),
    all_linear("phi"),
    all_linear("phi3"),
    all_linear("smollm3"),
    all_linear("gpt_neo"),
    all_linear("gpt_neox"),
    all_linear("gptj"),
    all_linear("codegen"),
    all_linear("opt_projected"),
    all_linear("falcon"),
    all_linear("starcoder2"),
    all_linear("olmo2"),
    all_linear("granite"),
    all_linear("stablelm"),
    all_linear("t5"),
    all_linear("t5_v1_1", use_dora=True),
    all_linear("mt5"),
    all_linear("bart", bias="all"),
    all_linear("pegasus"),
    all_linear("blenderbot"),
    all_linear("blenderbot_small"),
    all_linear("m2m_100", use_dora=True),
    Case("mixtral_attention", "mixtral", LIST),
    Case("qwen2_moe_attention", "qwen2_moe", LIST),
]


def load_model(folder: Path):
    config = transformers.AutoConfig.from_pretrained(folder)
    seq2seq = config.is_encoder_decoder
    model_class = transformers.AutoModelForSeq2SeqLM if seq2seq else transformers.AutoModelForCausalLM
    model = model_class.from_pretrained(folder, attn_implementation="eager", dtype=torch.float32)
    return model.eval()


def trained_names(tuned):
    return [name for name, parameter in tuned.named_parameters() if parameter.requires_grad]


def fill(tuned, seed, dtype):
    """Draws every trained number; sizes are such that each one matters and none drowns the rest."""
    generator = torch.Generator().manual_seed(seed)
    for name, parameter in tuned.named_parameters():
        if not parameter.requires_grad:
            continue
        noise = torch.randn(parameter.shape, generator=generator)
        with torch.no_grad():
            if "lora_magnitude_vector" in name:
                value = parameter * (1 + 0.3 * noise)
            elif "lora_embedding_B" in name or "lora_embedding_A" in name:
                value = 0.2 * noise
            elif "lora_" in name:
                value = noise / parameter.shape[-1] ** 0.5 * (1.0 if "lora_A" in name else 0.6)
            else:
                value = parameter + 0.2 * noise
            parameter.copy_(value.to(dtype))


def random_ids(generator, length, config):
    ends = config.eos_token_id if isinstance(config.eos_token_id, list) else [config.eos_token_id]
    allowed = torch.tensor([i for i in range(config.vocab_size) if i not in {getattr(config, "pad_token_id", None), *ends}])
    return allowed[torch.randint(len(allowed), (length,), generator=generator)].tolist()


def make_problem(config, seed):
    generator = torch.Generator().manual_seed(seed)
    problem = {"sequences": [random_ids(generator, length, config) for length in LENGTHS]}
    if config.is_encoder_decoder:
        problem["sources"] = [random_ids(generator, length, config) for length in reversed(LENGTHS)]
    return problem


def logits_of(model, problem):
    rows = []
    for index, ids in enumerate(problem["sequences"]):
        with torch.no_grad():
            if "sources" in problem:
                out = model(input_ids=torch.tensor([problem["sources"][index]]), decoder_input_ids=torch.tensor([ids]))
            else:
                out = model(input_ids=torch.tensor([ids]))
        rows.append(out.logits[0].float())
    return torch.cat(rows)


def adapted_modules(tuned):
    prefix = "base_model.model."
    layers = [name for name, module in tuned.named_modules() if isinstance(module, peft.tuners.lora.LoraLayer)]
    return sorted(name.removeprefix(prefix) for name in layers)


def make_adapter(case: Case, model):
    settings = dict(case.settings)
    task = "SEQ_2_SEQ_LM" if model.config.is_encoder_decoder else "CAUSAL_LM"
    tuned = peft.get_peft_model(model, peft.LoraConfig(task_type=task, lora_dropout=0.1, **settings))
    return tuned.eval()


def write_config(folder: Path, case: Case):
    """Sets have no order: sorted, so that the same script writes the same file."""
    file = folder / "adapter_config.json"
    config = json.loads(file.read_text())
    for key in ("target_modules", "exclude_modules"):
        if isinstance(config.get(key), list):
            config[key] = sorted(config[key])
    config["base_model_name_or_path"] = case.model
    file.write_text(json.dumps(config, indent=1, sort_keys=True) + "\n")


def store_as(folder: Path, dtype):
    if dtype is torch.float32:
        return
    file = folder / "adapter_model.safetensors"
    tensors = {name: tensor.to(dtype) for name, tensor in safetensors.torch.load_file(file).items()}
    safetensors.torch.save_file(tensors, file, metadata={"format": "pt"})


def merged_logits(case: Case, models: Path, folder: Path, problem):
    tuned = peft.PeftModel.from_pretrained(load_model(models / case.model), folder)
    return logits_of(tuned.merge_and_unload().eval(), problem)


def relative_difference(a, b):
    return ((a - b).abs().max() / a.abs().max()).item()


def make(case: Case, models: Path, out: Path):
    seed = 1000 + sum(case.name.encode())
    base = load_model(models / case.model)
    problem = make_problem(base.config, seed)
    before = logits_of(base, problem)
    torch.manual_seed(seed)
    tuned = make_adapter(case, base)
    fill(tuned, seed, case.dtype)
    logits = logits_of(tuned, problem)
    assert relative_difference(logits, before) > 0.05, f"{case.name}: the adapter does not matter"
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / case.name
        tuned.save_pretrained(folder)
        (folder / "README.md").unlink(missing_ok=True)
        write_config(folder, case)
        store_as(folder, case.dtype)
        again = peft.PeftModel.from_pretrained(load_model(models / case.model), folder).eval()
        reread = relative_difference(logits, logits_of(again, problem))
        assert reread < 1e-6, f"{case.name}: peft itself reads {reread:.1e} off"
        if case.can_merge:
            merged = merged_logits(case, models, folder, problem)
            assert relative_difference(logits, merged) < MERGE_TOLERANCE, f"{case.name}: merging moves the logits"
        expected = {
            "case": case.name,
            "model": case.model,
            "adapted": adapted_modules(tuned),
            "trained_numbers": sum(p.numel() for p in tuned.parameters() if p.requires_grad),
            "can_merge": case.can_merge,
            "made_with": {"peft": peft.__version__, "transformers": transformers.__version__},
            **problem,
        }
        safetensors.torch.save_file({"logits": logits.contiguous()}, folder / "expected.safetensors")
        (folder / "expected.json").write_text(json.dumps(expected) + "\n")
        shutil.rmtree(out / case.name, ignore_errors=True)
        shutil.copytree(folder, out / case.name)
    size = sum(file.stat().st_size for file in (out / case.name).iterdir())
    print(f"{case.name}: {len(expected['adapted'])} modules, {size / 1024:.0f} KiB", flush=True)
    return size


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", type=Path, default=HERE / "models")
    parser.add_argument("--out", type=Path, default=HERE / "adapters")
    parser.add_argument("cases", nargs="*")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    warnings.filterwarnings("ignore")
    known = {case.name: case for case in CASES}
    total = 0
    for name in arguments.cases or known:
        case = known[name]
        if not (arguments.models / case.model / "config.json").exists():
            print(f"{name}: no model {case.model}", flush=True)
            continue
        total += make(case, arguments.models, arguments.out)
    print(f"{total / 1024:.0f} KiB in all")


if __name__ == "__main__":
    main()
