// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/models/presets.h"

#include <QCoreApplication>

namespace wb::app {

QVector<RecipePreset> recipePresets() {
    const auto key = [](const char* name) { return QString::fromLatin1(name); };
    const auto say = [](const char* text) { return QCoreApplication::translate("RecipePreset", text); };
    const QMap<QString, QString> defaults{
        {key("epochs"), {}},    {key("max_steps"), {}},  {key("batch_size"), {}}, {key("learning_rate"), {}},
        {key("lora_rank"), {}}, {key("lora_alpha"), {}}, {key("method"), {}},     {key("early_stopping"), {}}};
    const auto with = [&defaults](QMap<QString, QString> texts) {
        for (auto it = defaults.begin(); it != defaults.end(); ++it)
            if (!texts.contains(it.key())) texts[it.key()] = it.value();
        return texts;
    };
    return {
        {say("Defaults"), say("LoRA with the settings that suit most data"), with({})},
        {say("Quick look"), say("Twenty steps: does it run, does the loss move"),
         with({{key("max_steps"), key("20")}})},
        {say("Thorough LoRA"), say("More epochs and a larger rank; stops early by itself"),
         with({{key("epochs"), key("8")}, {key("lora_rank"), key("32")}, {key("lora_alpha"), key("64")}})},
        {say("All weights"), say("Trains every weight: needs several times the memory of LoRA"),
         with({{key("method"), key("full")}})},
    };
}

}  // namespace wb::app
