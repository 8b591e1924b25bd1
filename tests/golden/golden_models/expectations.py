# SPDX-License-Identifier: Apache-2.0
"""What the reference computes for one model: logits, loss, gradients, continuations."""
import torch
from torch.nn import functional

IGNORED = -100


def random_ids(generator, length, config):
    """Ids that are neither padding nor an end of the text."""
    special = {getattr(config, "pad_token_id", None), getattr(config, "bos_token_id", None), *as_list(config.eos_token_id)}
    allowed = torch.tensor([i for i in range(config.vocab_size) if i not in special])
    return allowed[torch.randint(len(allowed), (length,), generator=generator)].tolist()


def as_list(value):
    return value if isinstance(value, list) else [value]


def shifted_labels(generator, ids):
    """The next id at each place; every fifth place or so is not trained, nor is the last."""
    labels = ids[1:] + [IGNORED]
    skip = torch.rand(len(ids), generator=generator) < 0.2
    return [IGNORED if drop else label for drop, label in zip(skip.tolist(), labels)]


def own_labels(generator, ids):
    skip = torch.rand(len(ids), generator=generator) < 0.2
    return [IGNORED if drop else label for drop, label in zip(skip.tolist(), ids)]


def settle_rotary_state(model, ids):
    """Dynamic frequencies remember the longest text seen; one short text makes them forget it."""
    with torch.no_grad():
        if model.config.is_encoder_decoder:
            return
        model(torch.tensor([ids[:1]]))


def forward(model, problem, index):
    if model.config.is_encoder_decoder:
        return model(
            input_ids=torch.tensor([problem["sources"][index]]),
            decoder_input_ids=torch.tensor([problem["decoder_inputs"][index]]),
        )
    settle_rotary_state(model, problem["sequences"][index])
    return model(torch.tensor([problem["sequences"][index]]))


def make_problem(model, variant, generator):
    config = model.config
    if not config.is_encoder_decoder:
        sequences = [random_ids(generator, length, config) for length in variant.lengths]
        return {"sequences": sequences, "labels": [shifted_labels(generator, ids) for ids in sequences]}
    sources = [random_ids(generator, length, config) + as_list(config.eos_token_id) for length in variant.lengths]
    targets = [random_ids(generator, length, config) + as_list(config.eos_token_id) for length in variant.lengths[::-1]]
    start = model.generation_config.decoder_start_token_id
    return {
        "sources": sources,
        "decoder_inputs": [[start] + ids[:-1] for ids in targets],
        "labels": [own_labels(generator, ids) for ids in targets],
    }


def losses_and_logits(model, problem):
    """Mean loss over all labels that are trained, and the logits of all sequences one after the other."""
    labels = torch.tensor([label for row in problem["labels"] for label in row])
    logits = torch.cat([forward(model, problem, i).logits[0] for i in range(len(problem["labels"]))])
    return functional.cross_entropy(logits.float(), labels, ignore_index=IGNORED), logits


def gradients(model, problem):
    model.zero_grad()
    loss, logits = losses_and_logits(model, problem)
    loss.backward()
    found = {}
    for name, parameter in model.named_parameters():
        if not parameter.requires_grad:
            continue
        found[name] = torch.zeros_like(parameter) if parameter.grad is None else parameter.grad.clone()
    return loss.item(), logits.detach(), found


def cut_padding(ids, config, generation):
    """Ends after the first end token; what batched generation appends is no output."""
    ends = {end for end in as_list(generation.eos_token_id) if end is not None}
    for place, token in enumerate(ids):
        if token in ends:
            return ids[: place + 1]
    return ids


def generated(model, prompt, **options):
    settle_rotary_state(model, prompt)
    with torch.no_grad():
        answer = model.generate(
            torch.tensor([prompt]),
            attention_mask=torch.ones(1, len(prompt), dtype=torch.long),
            do_sample=False,
            return_dict_in_generate=True,
            output_scores=True,
            **options,
        )
    # What comes before the new ids: the prompt, or the token that starts a decoder.
    start = 1 if model.config.is_encoder_decoder else len(prompt)
    ids = [cut_padding(row[start:].tolist(), model.config, model.generation_config) for row in answer.sequences]
    return ids, answer


def greedy(model, prompts, new_tokens):
    """Continuations, and the smallest distance between the best and the second best logit."""
    outputs, margin = [], float("inf")
    for prompt in prompts:
        ids, answer = generated(model, prompt, max_new_tokens=new_tokens, num_beams=1)
        outputs.append({"prompt": prompt, "max_new_tokens": new_tokens, "ids": ids[0]})
        for scores in answer.scores[: len(ids[0])]:
            best = torch.topk(scores[0], 2).values
            margin = min(margin, (best[0] - best[1]).item())
    return outputs, margin


def beams(model, prompts, settings):
    outputs = []
    for prompt in prompts:
        for beam in settings:
            options = dict(vars(beam))
            ids, answer = generated(model, prompt, **options)
            scores = [round(score, 5) for score in answer.sequences_scores.tolist()]
            outputs.append({"prompt": prompt, **options, "ids": ids, "scores": scores})
    return outputs
