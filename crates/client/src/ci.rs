//! The context of a CI run, from the variables that each provider documents.

use model::api::CiContext;

use crate::Environment;

/// One provider: the variable that identifies it, and the variables to read.
struct Provider {
    name: &'static str,
    present: &'static str,
    repository: &'static [&'static str],
    git_ref: &'static [&'static str],
    run_id: &'static str,
    job: &'static str,
    pull_request: &'static [&'static str],
}

const PROVIDERS: [Provider; 9] = [
    // https://docs.github.com/en/actions/reference/workflows-and-actions/variables
    Provider {
        name: "github",
        present: "GITHUB_ACTIONS",
        repository: &["GITHUB_REPOSITORY"],
        git_ref: &["GITHUB_HEAD_REF", "GITHUB_REF_NAME"],
        run_id: "GITHUB_RUN_ID",
        job: "GITHUB_JOB",
        pull_request: &[],
    },
    // https://docs.gitlab.com/ci/variables/predefined_variables/
    Provider {
        name: "gitlab",
        present: "GITLAB_CI",
        repository: &["CI_PROJECT_PATH"],
        git_ref: &["CI_COMMIT_REF_NAME"],
        run_id: "CI_PIPELINE_ID",
        job: "CI_JOB_NAME",
        pull_request: &["CI_MERGE_REQUEST_IID"],
    },
    // https://buildkite.com/docs/pipelines/configure/environment-variables
    Provider {
        name: "buildkite",
        present: "BUILDKITE",
        repository: &["BUILDKITE_REPO"],
        git_ref: &["BUILDKITE_BRANCH"],
        run_id: "BUILDKITE_BUILD_ID",
        job: "BUILDKITE_LABEL",
        pull_request: &["BUILDKITE_PULL_REQUEST"],
    },
    // https://circleci.com/docs/reference/variables/
    Provider {
        name: "circleci",
        present: "CIRCLECI",
        repository: &["CIRCLE_PROJECT_REPONAME"],
        git_ref: &["CIRCLE_BRANCH", "CIRCLE_TAG"],
        run_id: "CIRCLE_WORKFLOW_ID",
        job: "CIRCLE_JOB",
        pull_request: &["CIRCLE_PR_NUMBER", "CIRCLE_PULL_REQUEST"],
    },
    // https://learn.microsoft.com/en-us/azure/devops/pipelines/build/variables
    Provider {
        name: "azure",
        present: "TF_BUILD",
        repository: &["BUILD_REPOSITORY_NAME"],
        git_ref: &["BUILD_SOURCEBRANCHNAME"],
        run_id: "BUILD_BUILDID",
        job: "SYSTEM_JOBDISPLAYNAME",
        pull_request: &[
            "SYSTEM_PULLREQUEST_PULLREQUESTNUMBER",
            "SYSTEM_PULLREQUEST_PULLREQUESTID",
        ],
    },
    // https://support.atlassian.com/bitbucket-cloud/docs/variables-and-secrets/
    Provider {
        name: "bitbucket",
        present: "BITBUCKET_BUILD_NUMBER",
        repository: &["BITBUCKET_REPO_FULL_NAME"],
        git_ref: &["BITBUCKET_BRANCH", "BITBUCKET_TAG"],
        run_id: "BITBUCKET_BUILD_NUMBER",
        job: "BITBUCKET_STEP_UUID",
        pull_request: &["BITBUCKET_PR_ID"],
    },
    // https://docs.travis-ci.com/user/environment-variables/
    Provider {
        name: "travis",
        present: "TRAVIS",
        repository: &["TRAVIS_REPO_SLUG"],
        git_ref: &["TRAVIS_PULL_REQUEST_BRANCH", "TRAVIS_BRANCH"],
        run_id: "TRAVIS_BUILD_ID",
        job: "TRAVIS_JOB_NAME",
        pull_request: &["TRAVIS_PULL_REQUEST"],
    },
    // https://www.jenkins.io/doc/book/pipeline/jenkinsfile/#using-environment-variables
    Provider {
        name: "jenkins",
        present: "JENKINS_URL",
        repository: &["GIT_URL"],
        git_ref: &["CHANGE_BRANCH", "BRANCH_NAME", "GIT_BRANCH"],
        run_id: "BUILD_TAG",
        job: "JOB_NAME",
        pull_request: &["CHANGE_ID"],
    },
    // https://www.jetbrains.com/help/teamcity/predefined-build-parameters.html
    Provider {
        name: "teamcity",
        present: "TEAMCITY_VERSION",
        repository: &["TEAMCITY_PROJECT_NAME"],
        git_ref: &["BRANCH_NAME"],
        run_id: "BUILD_NUMBER",
        job: "TEAMCITY_BUILDCONF_NAME",
        pull_request: &[],
    },
];

/// The CI run of this process; `None` outside CI.
pub(crate) fn context(environment: &Environment) -> Option<CiContext> {
    let first = |names: &[&str]| {
        names
            .iter()
            .filter_map(|name| environment.var(name))
            .find(|value| *value != "false")
            .map(clean)
    };
    let Some(provider) = PROVIDERS
        .iter()
        .find(|provider| environment.var(provider.present).is_some())
    else {
        let unnamed = environment
            .var("CI")
            .is_some_and(|value| value != "false" && value != "0");
        return unnamed.then(|| CiContext {
            provider: Some("other".into()),
            ..CiContext::default()
        });
    };
    Some(CiContext {
        provider: Some(provider.name.into()),
        repository: first(provider.repository).map(|value| repository(&value)),
        git_ref: first(provider.git_ref),
        run_id: first(&[provider.run_id]),
        job: first(&[provider.job]),
        pull_request: first(provider.pull_request)
            .map(|value| last_part(&value))
            .or_else(|| {
                // GitHub has the number only in the ref: refs/pull/<number>/merge.
                let number = environment
                    .var("GITHUB_REF")?
                    .strip_prefix("refs/pull/")?
                    .split('/')
                    .next()?;
                Some(clean(number))
            }),
    })
}

/// The context as the value of a request header: JSON in ASCII, as header values require.
pub(crate) fn header_value(context: &CiContext) -> String {
    let json = serde_json::to_string(context).unwrap_or_default();
    let mut ascii = String::with_capacity(json.len());
    for unit in json.encode_utf16() {
        match u8::try_from(unit) {
            Ok(byte) if byte.is_ascii() => ascii.push(char::from(byte)),
            _ => ascii.push_str(&format!("\\u{unit:04x}")),
        }
    }
    ascii
}

fn clean(value: &str) -> String {
    let value = model::text::clean(value);
    value.chars().take(model::limits::NAME_CHARS).collect()
}

/// `owner/name` of the address of a clone, without user name and password; any other text unchanged.
fn repository(value: &str) -> String {
    let Some((_, rest)) = value
        .split_once("://")
        .or_else(|| value.split_once('@').filter(|_| value.contains(':')))
    else {
        return value.to_owned();
    };
    let path = rest.rsplit('@').next().unwrap_or(rest);
    let path = path.split_once(['/', ':']).map_or(path, |(_, path)| path);
    path.trim_matches('/').trim_end_matches(".git").to_owned()
}

/// A pull request's number, also from its address.
fn last_part(value: &str) -> String {
    value.rsplit('/').next().unwrap_or(value).to_owned()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn run(variables: &[(&str, &str)]) -> Option<CiContext> {
        let home = Path::new("/h");
        context(&Environment::new(home, home, variables.iter().copied()))
    }

    #[test]
    fn the_run_and_the_pull_request_of_github_are_read() {
        let context = run(&[
            ("CI", "true"),
            ("GITHUB_ACTIONS", "true"),
            ("GITHUB_REPOSITORY", "acme/api"),
            ("GITHUB_REF", "refs/pull/12/merge"),
            ("GITHUB_REF_NAME", "12/merge"),
            ("GITHUB_HEAD_REF", "fix"),
            ("GITHUB_RUN_ID", "99"),
            ("GITHUB_JOB", "test"),
        ]);
        let expected = CiContext {
            provider: Some("github".into()),
            repository: Some("acme/api".into()),
            git_ref: Some("fix".into()),
            run_id: Some("99".into()),
            job: Some("test".into()),
            pull_request: Some("12".into()),
        };
        assert_eq!(context, Some(expected));
    }

    #[test]
    fn every_provider_is_recognised_by_its_variable() {
        for provider in &PROVIDERS {
            let context = run(&[(provider.present, "true"), (provider.run_id, "7")]).unwrap();
            assert_eq!(context.provider.as_deref(), Some(provider.name));
            assert_eq!(context.run_id.as_deref(), Some("7"));
        }
        assert_eq!(run(&[("CI", "1")]).unwrap().provider.as_deref(), Some("other"));
        assert_eq!(run(&[("CI", "false")]), None);
        assert_eq!(run(&[]), None);
    }

    #[test]
    fn a_branch_build_has_no_pull_request_and_an_address_no_password() {
        let buildkite = run(&[
            ("BUILDKITE", "true"),
            ("BUILDKITE_PULL_REQUEST", "false"),
            ("BUILDKITE_REPO", "https://user:secret@git.example/acme/api.git"),
        ])
        .unwrap();
        assert_eq!(
            (buildkite.pull_request, buildkite.repository.as_deref()),
            (None, Some("acme/api"))
        );
        let jenkins = run(&[
            ("JENKINS_URL", "http://j"),
            ("GIT_URL", "git@git.example:acme/api.git"),
        ])
        .unwrap();
        assert_eq!(jenkins.repository.as_deref(), Some("acme/api"));
        let circle = run(&[
            ("CIRCLECI", "true"),
            ("CIRCLE_PULL_REQUEST", "https://x.example/a/b/pull/4"),
        ])
        .unwrap();
        assert_eq!(circle.pull_request.as_deref(), Some("4"));
    }

    #[test]
    fn the_header_is_ascii_and_reads_back() {
        let context = CiContext {
            git_ref: Some("grün/🚀\n".into()),
            ..CiContext::default()
        };
        let value = header_value(&context);
        assert!(value.bytes().all(|byte| (0x20..0x7f).contains(&byte)), "{value}");
        assert_eq!(serde_json::from_str::<CiContext>(&value).unwrap(), context);
    }
}
