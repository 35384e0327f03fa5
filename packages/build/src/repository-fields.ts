/** The fields of a published `package.json` that name the repository. */
export interface RepositoryFields {
  readonly repository: { readonly type: 'git'; readonly url: string; readonly directory: string }
  readonly homepage: string
  readonly bugs: string
}

/** `url` is the address of the repository in a browser, `folder` the package in it. */
export function repositoryFields(url: string, folder: string): RepositoryFields {
  return {
    repository: { type: 'git', url: `git+${url}.git`, directory: folder },
    homepage: `${url}/tree/main/${folder}#readme`,
    bugs: `${url}/issues`,
  }
}
