// SPDX-License-Identifier: Apache-2.0
#include "tests/app/whet_process.h"

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/support/temporary_folder.h"

namespace wb::test {

WhetResult runWhet(const std::vector<std::string>& arguments, const std::vector<std::string>& environment,
                   const std::string& input) {
    const TemporaryFolder folder;
    const std::string in = (folder / "in").string();
    writeText(in, input);
    const std::string out = (folder / "out").string();
    const std::string err = (folder / "err").string();
    const pid_t child = ::fork();
    if (child == 0) {
        // Files, not pipes: a full pipe would stop a child that nobody reads yet.
        ::dup2(::open(in.c_str(), O_RDONLY), STDIN_FILENO);
        ::dup2(::open(out.c_str(), O_WRONLY | O_CREAT, 0600), STDOUT_FILENO);
        ::dup2(::open(err.c_str(), O_WRONLY | O_CREAT, 0600), STDERR_FILENO);
        for (const char* name : {"WHETBENCH_LIBRARY", "NO_COLOR"}) ::unsetenv(name);
        for (const std::string& setting : environment) {
            const size_t equals = setting.find('=');
            ::setenv(setting.substr(0, equals).c_str(), setting.substr(equals + 1).c_str(), 1);
        }
        std::vector<char*> argv{const_cast<char*>(WHET_EXECUTABLE)};
        for (const std::string& argument : arguments) argv.push_back(const_cast<char*>(argument.c_str()));
        argv.push_back(nullptr);
        ::execv(argv[0], argv.data());
        ::_exit(127);
    }
    int status = 0;
    ::waitpid(child, &status, 0);
    const int code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    return {code, readText(out), readText(err)};
}

}  // namespace wb::test
