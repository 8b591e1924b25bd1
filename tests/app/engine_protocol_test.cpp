// SPDX-License-Identifier: Apache-2.0
// `whet engine --stdio` as the workbench uses it: every request ends with exactly one `finished` or `error`.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

#include "core/run/protocol.h"
#include "tests/app/tiny_workspace.h"
#include "tests/app/whet_child.h"

namespace wb {
namespace {

using nlohmann::json;
using test::answerOf;
using testing::HasSubstr;

// One client: sends requests, collects replies by request.
class Conversation {
public:
    explicit Conversation(std::vector<std::string> more = {}) : m_engine(arguments(std::move(more))) {}

    void send(const core::Request& request) { sendLine(core::toJsonLine(request)); }
    void sendLine(const std::string& line) { m_engine.send(line + "\n"); }

    // Reads until the request has ended; returns its replies.
    const std::vector<core::ReplyBody>& until(const std::string& id) {
        while (m_ends[id] == 0 && readOne()) {
        }
        EXPECT_EQ(m_ends[id], 1) << "request '" << id << "' has no end; " << m_engine.log();
        return m_replies[id];
    }
    // Reads until a reply of this kind has come for the request.
    template <class Body>
    Body next(const std::string& id) {
        size_t seen = m_replies[id].size();
        while (true) {
            for (; seen < m_replies[id].size(); ++seen) {
                if (const auto* body = std::get_if<Body>(&m_replies[id][seen])) return *body;
            }
            if (!readOne()) break;
        }
        ADD_FAILURE() << "no such reply for '" << id << "'; " << m_engine.log();
        return {};
    }
    const std::vector<core::ReplyBody>& replies(const std::string& id) { return m_replies[id]; }

    // Ends the conversation, reads what is left and checks that every request that was answered ended once.
    int close() {
        m_engine.closeInput();
        while (readOne()) {
        }
        for (const auto& [id, count] : m_ends) {
            if (id.empty()) continue;
            EXPECT_EQ(count, 1) << "request '" << id << "'";
        }
        return m_engine.wait();
    }
    int ends(const std::string& id) { return m_ends[id]; }
    test::WhetChild& engine() { return m_engine; }

private:
    static std::vector<std::string> arguments(std::vector<std::string> more) {
        std::vector<std::string> all{"engine", "--stdio", "--threads", "1"};
        all.insert(all.end(), more.begin(), more.end());
        return all;
    }

    bool readOne() {
        const std::optional<std::string> line = m_engine.readLine();
        if (!line) return false;
        const core::Reply reply = core::parseReply(*line);
        const bool isEnd = std::holds_alternative<core::FinishedReply>(reply.body) ||
                           std::holds_alternative<core::ErrorReply>(reply.body);
        EXPECT_TRUE(reply.id.empty() || m_ends[reply.id] == 0) << "a reply after the end of '" << reply.id << "'";
        m_ends[reply.id] += isEnd ? 1 : 0;
        m_replies[reply.id].push_back(reply.body);
        return true;
    }

    test::WhetChild m_engine;
    std::map<std::string, std::vector<core::ReplyBody>> m_replies;
    std::map<std::string, int> m_ends;
};

template <class Body>
std::vector<Body> all(const std::vector<core::ReplyBody>& replies) {
    std::vector<Body> found;
    for (const core::ReplyBody& reply : replies) {
        if (const auto* body = std::get_if<Body>(&reply)) found.push_back(*body);
    }
    return found;
}

core::ErrorReply errorIn(const std::vector<core::ReplyBody>& replies) {
    const auto errors = all<core::ErrorReply>(replies);
    EXPECT_EQ(errors.size(), 1U);
    return errors.empty() ? core::ErrorReply{} : errors.front();
}

class EngineProtocolTest : public testing::Test {
protected:
    static void SetUpTestSuite() {
        s_library = std::make_unique<test::TemporaryFolder>();
        const json trained = answerOf({"train",
                                       "--model",
                                       "pocket",
                                       "--data",
                                       WHETBENCH_SOURCE_DIR "/resources/samples/facts_to_sentence.jsonl",
                                       "--template",
                                       "plain",
                                       "--method",
                                       "lora",
                                       "--max-steps",
                                       "2",
                                       "--batch-size",
                                       "4",
                                       "--learning-rate",
                                       "0.005",
                                       "--warmup-ratio",
                                       "0",
                                       "--validation-max-rows",
                                       "4",
                                       "--sample-prompts",
                                       "0",
                                       "--library",
                                       s_library->path().string()});
        s_run = trained.value("run_id", "");
    }
    static void TearDownTestSuite() { s_library.reset(); }

    static std::vector<std::string> withLibrary() { return {"--library", s_library->path().string()}; }
    static std::vector<core::PaneSpec> panes() { return {{"base", "pocket", ""}, {"tuned", "pocket", s_run}}; }
    static core::Request compare(const std::string& id, int64_t tokens) {
        core::CompareRequest request;
        request.panes = panes();
        request.prompt.text = "Once upon a time there was";
        request.settings.maxNewTokens = tokens;
        request.settings.topAlternatives = 2;
        return {id, request};
    }

    static std::unique_ptr<test::TemporaryFolder> s_library;
    static std::string s_run;
};

std::unique_ptr<test::TemporaryFolder> EngineProtocolTest::s_library;
std::string EngineProtocolTest::s_run;

TEST_F(EngineProtocolTest, helloLoadCompareShutdown) {
    Conversation talk(withLibrary());
    talk.send({"1", core::HelloRequest{core::kProtocolVersion, "test"}});
    const auto hello = all<core::HelloReply>(talk.until("1"));
    ASSERT_EQ(hello.size(), 1U);
    EXPECT_EQ(hello.front().protocol, core::kProtocolVersion);
    EXPECT_EQ(hello.front().device, "cpu");
    EXPECT_EQ(hello.front().threads, 1);
    EXPECT_GT(hello.front().availableBytes, 0);

    talk.send({"2", core::LoadRequest{panes()}});
    const auto loaded = all<core::LoadedReply>(talk.until("2"));
    ASSERT_EQ(loaded.size(), 2U);
    EXPECT_EQ(loaded[0].adapterHash, "");
    EXPECT_EQ(loaded[1].adapterHash.size(), 64U);
    EXPECT_EQ(loaded[0].modelHash, loaded[1].modelHash);

    talk.send(compare("3", 12));
    const std::vector<core::ReplyBody> replies = talk.until("3");
    const auto started = all<core::PaneStartedReply>(replies);
    const auto outputs = all<core::OutputFinishedReply>(replies);
    const auto tokens = all<core::TokenReply>(replies);
    ASSERT_EQ(started.size(), 2U);
    ASSERT_EQ(outputs.size(), 2U);
    EXPECT_EQ(started[1].provenance.adapterHash, loaded[1].adapterHash);
    EXPECT_EQ(started[0].provenance.sampler, "greedy");
    for (const core::OutputFinishedReply& output : outputs) {
        // What streamed is what came out.
        std::vector<int32_t> streamed;
        std::string text;
        for (const core::TokenReply& token : tokens) {
            if (token.pane != output.pane) continue;
            EXPECT_EQ(token.index, static_cast<int64_t>(streamed.size()));
            EXPECT_EQ(token.top.size(), 2U);
            streamed.push_back(token.tokenId);
            text += token.text;
        }
        EXPECT_EQ(streamed, output.result.tokenIds);
        EXPECT_EQ(text, output.result.text);
        EXPECT_EQ(output.result.tokenIds.size(), 12U);
    }
    EXPECT_EQ(all<core::ScoredReply>(replies).size(), 2U) << "each answer under the other";
    EXPECT_EQ(all<core::PaneFinishedReply>(replies).size(), 2U);
    EXPECT_FALSE(all<core::KernelsReply>(replies).back().rows.empty());
    EXPECT_FALSE(all<core::FinishedReply>(replies).front().wasCancelled);

    // The base pane is what the command line gives for the base alone.
    const json alone = answerOf({"generate", "--model", "pocket", "--prompt", "Once upon a time there was",
                                 "--max-new-tokens", "12", "--threads", "1"});
    EXPECT_EQ(json(outputs[0].result.tokenIds), alone.at("outputs")[0].at("token_ids"));
    EXPECT_EQ(json(outputs[0].result.logprobs), alone.at("outputs")[0].at("logprobs"));
    EXPECT_EQ(started[0].provenance.modelHash, alone.at("provenance").at("model_hash"));

    talk.send({"4", core::ShutdownRequest{}});
    EXPECT_EQ(all<core::FinishedReply>(talk.until("4")).size(), 1U);
    EXPECT_TRUE(talk.engine().endsWithin(std::chrono::seconds(60))) << "though its input is still open";
    EXPECT_EQ(talk.close(), 0);
}

TEST_F(EngineProtocolTest, beamsAreRankedAndRepeatable) {
    Conversation talk(withLibrary());
    core::Request request = compare("b1", 8);
    auto& asked = std::get<core::CompareRequest>(request.body);
    asked.settings.numBeams = 4;
    asked.settings.numReturn = 3;
    talk.send(request);
    request.id = "b2";
    talk.send(request);
    const auto first = all<core::OutputFinishedReply>(talk.until("b1"));
    const auto second = all<core::OutputFinishedReply>(talk.until("b2"));
    ASSERT_EQ(first.size(), 6U);
    EXPECT_EQ(first, second);
    EXPECT_TRUE(all<core::TokenReply>(talk.replies("b1")).empty()) << "beams may still change";
    EXPECT_FALSE(all<core::BeamsReply>(talk.replies("b1")).empty());
    for (size_t i = 1; i < 3; ++i) EXPECT_GE(first[i - 1].result.score, first[i].result.score);
    EXPECT_EQ(talk.close(), 0);
}

TEST_F(EngineProtocolTest, cancelEndsWithinAFewTokens) {
    Conversation talk(withLibrary());
    talk.send(compare("long", 450));
    for (int i = 0; i < 3; ++i) talk.next<core::TokenReply>("long");
    talk.send({"stop", core::CancelRequest{"long"}});
    const std::vector<core::ReplyBody> replies = talk.until("long");
    EXPECT_TRUE(all<core::FinishedReply>(replies).front().wasCancelled);
    const auto outputs = all<core::OutputFinishedReply>(replies);
    ASSERT_EQ(outputs.size(), 2U);
    for (const core::OutputFinishedReply& output : outputs) {
        EXPECT_EQ(output.result.finishReason, "cancelled");
        EXPECT_LT(output.result.tokenIds.size(), 450U);
    }
    talk.until("stop");
    // The engine is as good as new.
    talk.send(compare("after", 4));
    EXPECT_FALSE(all<core::FinishedReply>(talk.until("after")).front().wasCancelled);
    EXPECT_EQ(talk.close(), 0);
}

TEST_F(EngineProtocolTest, cancelOfWhatWaitsOrHasJustBegun) {
    Conversation talk(withLibrary());
    // All in one write: the second is cancelled while it waits, the first before its prompts have run.
    std::string lines;
    lines += core::toJsonLine(compare("first", 300)) + "\n";
    lines += core::toJsonLine(compare("second", 300)) + "\n";
    lines += core::toJsonLine(core::Request{"c2", core::CancelRequest{"second"}}) + "\n";
    lines += core::toJsonLine(core::Request{"c1", core::CancelRequest{"first"}}) + "\n";
    lines += core::toJsonLine(core::Request{"c0", core::CancelRequest{"never heard of"}});
    talk.sendLine(lines);
    for (const char* id : {"first", "second"}) {
        EXPECT_TRUE(all<core::FinishedReply>(talk.until(id)).front().wasCancelled) << id;
    }
    for (const char* id : {"c0", "c1", "c2"}) talk.until(id);
    talk.send(compare("third", 3));
    EXPECT_FALSE(all<core::FinishedReply>(talk.until("third")).front().wasCancelled);
    EXPECT_EQ(talk.close(), 0);
}

TEST_F(EngineProtocolTest, linesThatAreNoRequestsAreAnsweredAndForgotten) {
    Conversation talk;
    int refused = 0;
    for (const char* line : {"not json", "{}", "[]", "null", "\"hello\"", "{\"command\": \"hello\"", "\xff\xfe\x00",
                             R"({"command": "hello"})", R"({"id": 7, "command": "hello"})"}) {
        talk.sendLine(line);
        ++refused;
    }
    talk.sendLine("");
    talk.sendLine(R"({"id": "u", "command": "explode"})");
    EXPECT_THAT(errorIn(talk.until("u")).message, HasSubstr("explode"));
    talk.sendLine(R"({"id": "t", "command": "generate", "settings": {"max_new_tokens": "many"}})");
    EXPECT_THAT(errorIn(talk.until("t")).message, HasSubstr("max_new_tokens"));
    talk.send({"p", core::HelloRequest{99, "future"}});
    EXPECT_EQ(errorIn(talk.until("p")).code, "unsupported");
    talk.send({"h", core::HelloRequest{}});
    talk.until("h");
    EXPECT_EQ(talk.ends(""), refused) << "one error for each line without a readable id";
    EXPECT_EQ(talk.close(), 0);
}

TEST_F(EngineProtocolTest, aLineWithoutEndIsRefusedNotStored) {
    Conversation talk;
    const std::string block(1 << 20, 'x');
    for (size_t sent = 0; sent <= core::kMaxProtocolLine; sent += block.size()) talk.engine().send(block);
    talk.sendLine("");
    talk.send({"h", core::HelloRequest{}});
    talk.until("h");
    EXPECT_THAT(errorIn(talk.replies("")).message, HasSubstr("longer than"));
    EXPECT_EQ(talk.close(), 0);
}

TEST_F(EngineProtocolTest, whatCannotBeDoneIsAnErrorOfThatRequestAlone) {
    Conversation talk(withLibrary());
    const auto refusal = [&](const std::string& id, const core::RequestBody& body) {
        talk.send({id, body});
        return errorIn(talk.until(id));
    };
    EXPECT_EQ(refusal("m", core::LoadRequest{{{"a", "/nonexistent/model", ""}}}).code, "not_found");
    EXPECT_EQ(refusal("a", core::LoadRequest{{{"a", "pocket", "nope"}}}).code, "not_found");
    EXPECT_EQ(refusal("none", core::CompareRequest{}).code, "invalid_argument");
    core::GenerateRequest generate;
    generate.pane = {"base", "pocket", ""};
    generate.prompt.text = "Once";
    const auto with = [&](auto change) {
        core::GenerateRequest changed = generate;
        change(changed);
        return changed;
    };
    using Request = core::GenerateRequest;
    EXPECT_THAT(refusal("long", with([](Request& r) { r.settings.maxNewTokens = 5000; })).message,
                HasSubstr("512 positions"));
    for (const int64_t wrong : {int64_t{0}, int64_t{-1}, std::numeric_limits<int64_t>::min()}) {
        const std::string n = std::to_string(wrong);
        EXPECT_EQ(refusal("t" + n, with([&](Request& r) { r.settings.maxNewTokens = wrong; })).code,
                  "invalid_argument");
        EXPECT_EQ(refusal("b" + n, with([&](Request& r) { r.settings.numBeams = wrong; })).code, "invalid_argument");
    }
    for (const int64_t wrong : {int64_t{100'000}, int64_t{1} << 40, std::numeric_limits<int64_t>::max()}) {
        const std::string n = std::to_string(wrong);
        refusal("B" + n, with([&](Request& r) { r.settings.numBeams = wrong; }));
        refusal("R" + n, with([&](Request& r) {
                    r.settings.numReturn = wrong;
                    r.settings.temperature = 1;
                }));
        refusal("T" + n, with([&](Request& r) { r.settings.maxNewTokens = wrong; }));
    }
    EXPECT_EQ(refusal("attention", with([](Request& r) { r.settings.attention = "fast"; })).code, "invalid_argument");
    EXPECT_EQ(refusal("template", with([](Request& r) { r.prompt.templateName = "/nonexistent"; })).code, "not_found");
    EXPECT_EQ(refusal("ids", with([](Request& r) {
                          r.settings.continuationIds = {1, 99999};
                      }))
                  .code,
              "invalid_argument");
    EXPECT_EQ(refusal("negative", with([](Request& r) { r.settings.continuationIds = {-3}; })).code,
              "invalid_argument");
    EXPECT_THAT(refusal("plan", core::PlanRequest{"epochs = 'three'"}).message, HasSubstr("epochs"));
    // After all of that it still answers.
    generate.settings.maxNewTokens = 2;
    talk.send({"good", generate});
    EXPECT_EQ(all<core::OutputFinishedReply>(talk.until("good")).size(), 1U);
    EXPECT_EQ(talk.close(), 0);
}

TEST_F(EngineProtocolTest, planAnswersForARecipe) {
    Conversation talk;
    talk.send({"plan", core::PlanRequest{"model = 'pocket'\ndata = '" WHETBENCH_SOURCE_DIR
                                         "/resources/samples/facts_to_sentence.jsonl'\ntemplate = 'plain'\n"}});
    const auto plans = all<core::PlanReply>(talk.until("plan"));
    ASSERT_EQ(plans.size(), 1U);
    EXPECT_EQ(plans.front().plan.byOwner.total(), plans.front().plan.peakBytes);
    EXPECT_TRUE(plans.front().plan.fits);
    EXPECT_EQ(talk.close(), 0);
}

TEST_F(EngineProtocolTest, theEndOfItsInputEndsTheEngineAfterWhatWasAsked) {
    Conversation talk(withLibrary());
    talk.send(compare("last", 5));
    EXPECT_EQ(talk.close(), 0);
    EXPECT_EQ(all<core::OutputFinishedReply>(talk.replies("last")).size(), 2U);
}

TEST_F(EngineProtocolTest, aDeviceThatIsNotThereEndsTheEngineAtOnce) {
    Conversation talk({"--device", "cuda:7"});
    ASSERT_TRUE(talk.engine().endsWithin(std::chrono::seconds(60))) << "it must not wait for input it cannot serve";
    EXPECT_EQ(talk.engine().wait(), 1);
    EXPECT_THAT(talk.engine().log(), HasSubstr("error: "));
}

}  // namespace
}  // namespace wb
